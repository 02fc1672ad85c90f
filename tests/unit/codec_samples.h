/* layer: codec */
/* One message of every type, and of every type of request and reply, with a value in each of its
 * fields. */
#ifndef TALLY_TEST_CODEC_SAMPLES_H
#define TALLY_TEST_CODEC_SAMPLES_H

#include "codec/codec.h"

enum { SAMPLES_LINK = 10, SAMPLES_MAX = SAMPLES_LINK + 2 * REQUEST_TYPE_COUNT };

/* The same byte everywhere: different fields get different ones. */
#define SAMPLE_16(x)                                       \
    {                                                      \
        {                                                  \
            x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x \
        }                                                  \
    }
#define SAMPLE_32(x)                                                                               \
    {                                                                                              \
        {                                                                                          \
            x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, \
                x, x, x                                                                            \
        }                                                                                          \
    }
#define SAMPLE_BYTES(text)                        \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const struct head sample_heads[] = {{SAMPLE_16(1), 2, SAMPLE_32(3)},
                                           {SAMPLE_16(4), UINT64_MAX, SAMPLE_32(5)}};
static const struct origin_heads sample_origins[] = {{SAMPLE_16(6), sample_heads, 2}};
static const struct feed_mark sample_mark = {SAMPLE_16(7), -8};
static const char *sample_texts[] = {"h:1", "[::1]:2"};
static const struct ancestor sample_ancestors[] = {
    {"42", SAMPLE_16(9), SAMPLE_32(10), sample_texts, 2}};
static const struct feed_mark sample_sessions[] = {{SAMPLE_16(11), 13}, {SAMPLE_16(12), 14}};
static const struct id sample_ids[] = {SAMPLE_16(11), SAMPLE_16(12)};

static const struct unit_edge sample_edges[] = {{"42", DAY_NONE, 10}, {"43", 11, DAY_NONE}};

static inline struct message sample_hello(void)
{
    struct message m = {.type = MESSAGE_HELLO};
    m.u.hello = (struct msg_hello){
        .protocol_min = 1,
        .protocol_max = 2,
        .software = "0.1.0",
        .tree = SAMPLE_16(20),
        .node = SAMPLE_16(21),
        .origin = SAMPLE_16(22),
        .catalogue_version = UINT64_MAX,
        .sessions = sample_sessions,
        .session_count = 2,
        .heads = sample_heads,
        .head_count = 2,
        .remembered = sample_mark,
        .have = {SAMPLE_16(23), INT64_MAX},
        .unit = {"436", "Thạch Hà", "district", sample_edges, 2, SAMPLE_16(30), 31},
        .hosting = {"436", SAMPLE_16(32), SAMPLE_16(33), SAMPLE_32(34), 35, true, SAMPLE_16(36),
                    37}};
    return m;
}

static inline struct message sample_welcome(void)
{
    struct message m = {.type = MESSAGE_WELCOME};
    m.u.welcome = (struct msg_welcome){.protocol = 1,
                                       .software = "0.1.0",
                                       .tree = SAMPLE_16(20),
                                       .node = SAMPLE_16(21),
                                       .session = SAMPLE_16(24),
                                       .unit = "436",
                                       .unit_name = "Thạch Hà",
                                       .unit_level = "district",
                                       .catalogue_version = 3,
                                       .have = sample_mark,
                                       .escrow = sample_heads,
                                       .escrow_count = 2,
                                       .known = sample_origins,
                                       .known_count = 1,
                                       .ancestors = sample_ancestors,
                                       .ancestor_count = 1,
                                       .now = {INT64_C(253402300799999)},
                                       .root_revision = INT64_MIN,
                                       .heal = true,
                                       .heal_entries = INT64_MAX,
                                       .takes_back = true};
    return m;
}

static const struct entry sample_entries[] = {{SAMPLE_16(51),
                                               7,
                                               ENTRY_AMEND,
                                               "436",
                                               "fund",
                                               "g=c",
                                               -5,
                                               -6,
                                               8,
                                               SAMPLE_16(52),
                                               3,
                                               "key",
                                               "a\nb",
                                               "lan",
                                               {1690000000000},
                                               {0}},
                                              {SAMPLE_16(51),
                                               8,
                                               ENTRY_ACT,
                                               "437",
                                               "",
                                               "",
                                               0,
                                               0,
                                               0,
                                               {{0}},
                                               0,
                                               "",
                                               "",
                                               "hoa",
                                               {1690000000001},
                                               SAMPLE_BYTES("act")},
                                              {SAMPLE_16(53),
                                               1,
                                               ENTRY_RECORD,
                                               "437",
                                               "fund",
                                               "",
                                               1,
                                               INT64_MAX,
                                               0,
                                               {{0}},
                                               0,
                                               "",
                                               "",
                                               "lan",
                                               {-1},
                                               {0}}};
static const struct cell sample_cells[] = {
    {SAMPLE_16(54), "436", "fund", "g=c", -9, INT64_MIN, 10, 11, 12, 13},
    {SAMPLE_16(55), "437", "accounts", "", 24276, 14, INT64_MAX, 0, 0, 0}};

static inline struct message sample_batch(void)
{
    static const struct unit_row UNITS[] = {
        {"436", "Thạch Hà", "district", sample_edges, 2, SAMPLE_16(30), 31}};
    static const struct hosting_row HOSTINGS[] = {
        {"436", SAMPLE_16(32), SAMPLE_16(33), SAMPLE_32(34), 35, true, SAMPLE_16(36), 37}};
    static const struct status_row STATUSES[] = {{"436", SAMPLE_16(38), LINK_FENCED, {39}, 40, 41}};
    static const struct opening OPENINGS[] = {{SAMPLE_16(41), SAMPLE_16(42), sample_heads, 2}};
    static const struct signed_heads SIGNED[] = {
        {{SAMPLE_16(43), sample_heads, 1}, {-44}, SAMPLE_32(45), {{46, 47}}}};
    static const struct range_sum SUMS[] = {
        {{SAMPLE_16(70), "436", "fund", "g=c", -71}, SAMPLE_16(72)},
        {{SAMPLE_16(73), "437", "fund", "", 74}, SAMPLE_16(75)}};
    static const struct ranges RANGES[] = {{{{SAMPLE_16(76), "435", "fund", "", 77},
                                             {SAMPLE_16(78), "439", "visits", "g=d", 79},
                                             true,
                                             80},
                                            SUMS,
                                            2,
                                            true}};
    static const struct digest DIGESTS[] = {{SAMPLE_16(48), SAMPLE_16(49), 50}};
    struct message m = {.type = MESSAGE_BATCH};
    m.u.batch = (struct msg_batch){.number = 7,
                                   .upto = sample_mark,
                                   .units = UNITS,
                                   .unit_count = 1,
                                   .hostings = HOSTINGS,
                                   .hosting_count = 1,
                                   .statuses = STATUSES,
                                   .status_count = 1,
                                   .openings = OPENINGS,
                                   .opening_count = 1,
                                   .signed_heads = SIGNED,
                                   .signed_heads_count = 1,
                                   .entries = sample_entries,
                                   .entry_count = 3,
                                   .heads = sample_origins,
                                   .heads_count = 1,
                                   .cells = sample_cells,
                                   .cell_count = 2,
                                   .mark = true,
                                   .marked_at = {56},
                                   .digests = DIGESTS,
                                   .digest_count = 1,
                                   .ranges = RANGES,
                                   .range_count = 1,
                                   .compares = true,
                                   .returned = true,
                                   .returned_first = true,
                                   .returned_last = true};
    return m;
}

static inline struct message sample_ack(void)
{
    static const struct refused_row REFUSED[] = {
        {REFUSE_DUPLICATE, SAMPLE_16(60), "436", "fund", "g=c", -61, 62}};
    static const struct range_ask COMPARE[] = {{{SAMPLE_16(81), "435", "fund", "", 82},
                                                {SAMPLE_16(83), "439", "visits", "g=d", 84},
                                                true,
                                                85}};
    static const struct cell_key AGAIN[] = {{SAMPLE_16(86), "436", "fund", "g=c", -87},
                                            {SAMPLE_16(88), "437", "visits", "", 89}};
    struct message m = {.type = MESSAGE_ACK};
    m.u.ack = (struct msg_ack){.number = 7,
                               .upto = sample_mark,
                               .escrow = sample_heads,
                               .escrow_count = 2,
                               .refused = REFUSED,
                               .refused_count = 1,
                               .refused_total = 63,
                               .held = 64,
                               .root_revision = 65,
                               .unequal = sample_ids,
                               .unequal_count = 2,
                               .unasked = true,
                               .differs = true,
                               .compare = COMPARE,
                               .compare_count = 1,
                               .again = AGAIN,
                               .again_count = 2};
    return m;
}

static inline struct message sample_joined(void)
{
    struct message m = {.type = MESSAGE_JOINED};
    m.u.joined = (struct msg_joined){.err = ERR_AUTH,
                                     .text = "no",
                                     .tree = SAMPLE_16(70),
                                     .node = SAMPLE_16(71),
                                     .origin = SAMPLE_16(72),
                                     .unit = "436",
                                     .unit_name = "Thạch Hà",
                                     .unit_level = "district",
                                     .hosting = 73,
                                     .root_key = SAMPLE_32(74),
                                     .node_chain = SAMPLE_BYTES("node chain"),
                                     .ca_chain = SAMPLE_BYTES("ca chain"),
                                     .now = {1700000000123},
                                     .ancestors = sample_ancestors,
                                     .ancestor_count = 1};
    return m;
}

static inline struct msg_request sample_request(enum request_type type)
{
    static const struct record_row ROWS[] = {{1, "436", "fund", -2, "g=c", "-1.5", "key", "a\nb"},
                                             {2, "437", "fund", DAY_NONE, "", "0", "", ""}};
    static const struct unit_new UNITS[] = {{3, "438", "Xã", "commune", "436"}};
    static const char *measures[] = {"fund", "accounts"};
    struct msg_request r = {.id = UINT64_MAX - (uint64_t)type, .type = type};
    switch (type) {
    case REQUEST_RECORD:
        r.u.record = (struct req_record){ROWS, 2, true, true};
        break;
    case REQUEST_CORRECT:
        r.u.correct = (struct req_correct){"000000000000-1", true, "5", "key", "why\tso"};
        break;
    case REQUEST_WAIT:
        r.u.wait = (struct req_wait){WAIT_ROOT, 4, 5};
        break;
    case REQUEST_TOTAL:
        r.u.total = (struct req_total){
            "42",     measures, 2,    true, {FREQUENCY_DAY, -6}, BY_CATEGORY,         "commune",
            DAY_NONE, true,     true, 7,    AGAINST_PERIOD,      {FREQUENCY_DAY, -8}, "g=c"};
        break;
    case REQUEST_MISSING:
        r.u.missing =
            (struct req_missing){"436", measures, 2, true, {FREQUENCY_MONTH, 24276}, true, 24279};
        break;
    case REQUEST_LOG:
        r.u.log = (struct req_log){"436", "key", true, measures, 2, true, -5, 6, "mai", ENTRY_VOID};
        break;
    case REQUEST_APPLY:
        r.u.apply = (struct req_apply){SAMPLE_BYTES("\1\0\2"), true};
        break;
    case REQUEST_UNITS:
        r.u.units = (struct req_units){UNITS, 1, true, "{parent}.##"};
        break;
    case REQUEST_INVITE:
        r.u.invite = (struct req_invite){"436", "Thạch Hà", "district", 7, true, true};
        break;
    case REQUEST_BUNDLE_WRITE:
        r.u.bundle_write = (struct req_bundle_write){"436", true};
        break;
    case REQUEST_BUNDLE_READ:
        r.u.bundle_read = (struct req_bundle_read){8, SAMPLE_BYTES("TALLYBDL"), true};
        break;
    case REQUEST_STATUS:
    case REQUEST_TREE:
    case REQUEST_VERIFY:
    case REQUEST_UNIT_LIST:
    case REQUEST_BACKUP:
    case REQUEST_TYPE_COUNT:
        break;
    }
    return r;
}

static inline struct rep_status sample_status(void)
{
    static const struct child_status CHILDREN[] = {{"436", LINK_REFUSED, {80}, 81, 82, "fork"}};
    static const struct alarm_row ALARMS[] = {{"disk-full", "no room", {82}}};
    return (struct rep_status){.unit = "42",
                               .unit_name = "Hà Tĩnh",
                               .level = "province",
                               .node = SAMPLE_16(83),
                               .origin = SAMPLE_16(84),
                               .tree = SAMPLE_16(85),
                               .software = "0.1.0",
                               .uplink = UPLINK_REFUSED,
                               .uplink_text = "busy",
                               .pending_rows = 86,
                               .unescrowed_entries = 87,
                               .held_above = 103,
                               .exact_as_of = {88},
                               .unescrowed_since = {104},
                               .healed_entries = 105,
                               .meanwhile_entries = 106,
                               .healed_at = {107},
                               .children = CHILDREN,
                               .child_count = 1,
                               .ledger_entries = 89,
                               .lost = 108,
                               .held = 90,
                               .alarms = ALARMS,
                               .alarm_count = 1,
                               .catalogue_version = 91};
}

static inline struct rep_total sample_total(void)
{
    static const struct stale_source STALE[] = {{"441", {92}}};
    static struct total_row rows[] = {{.unit = "436",
                                       .measure = "fund",
                                       .name = "Quỹ",
                                       .period = "2023H1",
                                       .category = "g=c",
                                       .category_null = true,
                                       .own = true,
                                       .indicator = true,
                                       .indicator_value = "1.50",
                                       .target = "2.00",
                                       .target_period = "2023",
                                       .reached = "1.75",
                                       .percent = "87.5",
                                       .due = "0.99",
                                       .against = "2022H1",
                                       .before = "1.25",
                                       .change = "0.25",
                                       .change_percent = "20.0",
                                       .unit_name = "Thành phố",
                                       .counted_in = "VND",
                                       .overflow = true,
                                       .decimals = 9,
                                       .entries = 93,
                                       .reported = 94,
                                       .expected = 95}};
    rows[0].value = -((wide)1 << 126) + 5;
    return (struct rep_total){.unit = "42",
                              .unit_name = "Hà Tĩnh",
                              .period = "2023H1",
                              .as_of = {96},
                              .catalogue_version = 97,
                              .nodes = 98,
                              .exact = 99,
                              .held = 100,
                              .refused = 102,
                              .lost = 109,
                              .revision = 1091,
                              .stale = STALE,
                              .stale_count = 1,
                              .rows = rows,
                              .row_count = 1};
}

static const struct log_row sample_log[] = {{{SAMPLE_16(113),
                                              114,
                                              ENTRY_VOID,
                                              "436",
                                              "fund",
                                              "g=c",
                                              -115,
                                              -116,
                                              117,
                                              SAMPLE_16(118),
                                              119,
                                              "key",
                                              "a\nb",
                                              "lan",
                                              {120},
                                              {0}},
                                             true,
                                             9,
                                             {125},
                                             true}};

static inline struct msg_reply sample_reply(enum request_type type)
{
    static const struct recorded_row RECORDED[] = {{SAMPLE_16(110), 111, true}};
    static const struct refused_line REFUSED[] = {{112, "unit 9 is not known"}};
    static const char *CODES[] = {"436.01"};
    static const struct tree_row TREE[] = {
        {"436", "Thạch Hà", "district", "42", true, true, LINK_FENCED, {121}, 122, DAY_NONE}};
    static const struct verify_count CHECKED[] = {{"totals", 123}};
    static const char *lines[] = {"one", "hai"};
    static const struct missing_row missed[] = {{.code = "report",
                                                 .name = "Báo cáo",
                                                 .period = "2023H1",
                                                 .set = true,
                                                 .due = 19600,
                                                 .expected = 159,
                                                 .reported = 160,
                                                 .unit = "436",
                                                 .unit_name = "Thạch Hà",
                                                 .lacks = lines,
                                                 .lacks_count = 2,
                                                 .lacks_total = 161,
                                                 .exact = true,
                                                 .exact_as_of = {162}}};
    struct msg_reply r = {.id = 124, .type = type, .text = "", .more = true};
    switch (type) {
    case REQUEST_RECORD:
    case REQUEST_CORRECT:
    case REQUEST_WAIT:
    case REQUEST_UNITS:
        r.u.recorded = (struct rep_recorded){RECORDED, 1, 125, 126, REFUSED, 1, 127, 128, CODES, 1};
        break;
    case REQUEST_TOTAL:
        r.u.total = sample_total();
        break;
    case REQUEST_LOG:
        r.u.log = (struct rep_log){sample_log, 1};
        break;
    case REQUEST_STATUS:
        r.u.status = sample_status();
        break;
    case REQUEST_TREE:
    case REQUEST_UNIT_LIST:
        r.u.tree = (struct rep_tree){TREE, 1};
        break;
    case REQUEST_VERIFY:
        r.u.verify = (struct rep_verify){true, CHECKED, 1, lines, 2, 129};
        break;
    case REQUEST_APPLY:
        r.u.apply = (struct rep_apply){130, lines, 2};
        break;
    case REQUEST_INVITE:
        r.u.invite = (struct rep_invite){"tally1-0"};
        break;
    case REQUEST_BACKUP:
        r.u.backup = (struct rep_backup){132, 133, SAMPLE_BYTES("SQLite")};
        break;
    case REQUEST_BUNDLE_WRITE:
    case REQUEST_BUNDLE_READ:
        r.u.bundle = (struct rep_bundle){.content = SAMPLE_BYTES("part"),
                                         .kind = BUNDLE_ANSWER,
                                         .unit = "436",
                                         .written_at = {134},
                                         .entries = 135,
                                         .cells = 136,
                                         .refused = 137,
                                         .lacks = 138,
                                         .healed = 139,
                                         .outcome = BUNDLE_GAP,
                                         .exact = true};
        break;
    case REQUEST_MISSING:
        r.u.missing = (struct rep_missing){"42", "Hà Tĩnh", {156}, 157, 158, missed, 1, 159};
        break;
    case REQUEST_TYPE_COUNT: /* a refusal */
        r = (struct msg_reply){131, REQUEST_RECORD, ERR_REFUSED, "not here", true, {{0}}};
        break;
    }
    return r;
}

/* All of them; how many. */
static inline size_t samples(struct message out[SAMPLES_MAX])
{
    size_t n = 0;
    out[n++] = sample_hello();
    out[n++] = sample_welcome();
    out[n++] = sample_batch();
    out[n++] = sample_ack();
    out[n++] = sample_joined();
    out[n] = (struct message){.type = MESSAGE_REFUSE};
    out[n++].u.refuse = (struct msg_refuse){REFUSAL_SHUTDOWN, "stops", 1, 2, {140}};
    out[n] = (struct message){.type = MESSAGE_CATALOGUE};
    out[n++].u.catalogue = (struct msg_catalogue){141, SAMPLE_BYTES("\1catalogue\0"), {{142, 143}}};
    out[n] = (struct message){.type = MESSAGE_PING};
    out[n++].u.ping = (struct msg_ping){true, UINT64_MAX, {-144}, true, sample_mark, 145};
    out[n] = (struct message){.type = MESSAGE_JOIN};
    out[n++].u.join = (struct msg_join){
        SAMPLE_16(146), SAMPLE_32(147), SAMPLE_BYTES("node request"), SAMPLE_BYTES("ca request"),
        "h:7800",       SAMPLE_16(148)};
    out[n] = (struct message){.type = MESSAGE_BUNDLE};
    out[n++].u.bundle = (struct msg_bundle){
        BUNDLE_ANSWER, SAMPLE_16(149), SAMPLE_16(150), "436",
        sample_mark,   SAMPLE_16(151), {152},          {SAMPLE_16(153), 154, SAMPLE_32(155)}};
    for (int type = REQUEST_RECORD; type < REQUEST_TYPE_COUNT; type++) {
        out[n] = (struct message){.type = MESSAGE_REQUEST};
        out[n++].u.request = sample_request((enum request_type)type);
    }
    for (int type = REQUEST_RECORD; type <= REQUEST_TYPE_COUNT; type++) {
        out[n] = (struct message){.type = MESSAGE_REPLY};
        out[n++].u.reply = sample_reply((enum request_type)type);
    }
    return n;
}

#endif

/* tally watch: figures and links as they change.
 *
 * 1. All figures are asked for, with the revision of the state that they are of, and the children.
 * 2. On a terminal that is drawn; elsewhere what differs from before is a line for each figure.
 * 3. The daemon answers a wait for news as soon as anything has changed; then from 1 again, but not
 * more often than every PACE_MS. Without news it is drawn again too, since freshness goes with
 * time.
 *
 * When the daemon is gone it is dialled until it is there again. */
#include <inttypes.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <stdlib.h>
#include <string.h>

#include "client/asked.h"
#include "client/checks.h"
#include "client/commands.h"
#include "client/figures.h"
#include "client/language.h"
#include "client/output.h"

enum {
    PACE_MS = 500,
    NEWS_MS = 5000,  /* drawn anew without news */
    MARK_MS = 10000, /* a change is marked for so long */
    AGAIN_MS = 2000, /* between two dials */
    BUSY_LEAST_MS = 50,
    BUSY_MORE_MS = 450,
    MARGIN_MS = 30000,
    BAR = 10,
    AROUND_LINES = 7, /* headings and what stands below */
    LINES_LEAST = 5,
    LINES_USUAL = 24,
    CHILDREN_MAX = 10000,
};

struct source {
    char unit[CODE_MAX_BYTES + 1];
    enum link_state state;
    struct wall exact_as_of;
};

struct picture {
    struct figures figures;
    const struct figures_answer *answer;
    struct source *sources;
    size_t source_count;
    bool made;
};

struct mark {
    char measure[CODE_MAX_BYTES + 1];
    char change[WIDE_TEXT_BYTES];
    int64_t until_ms;
};

struct watch {
    struct client *client;
    const char *unit;
    struct period period;
    bool this_year; /* no period was named */
    struct measures_asked measures;
    bool screen;
    enum output_form form;
    struct picture pictures[2]; /* the last one, and the one before */
    int last;
    struct mark marks[MEASURES_ASKED_MAX];
    size_t next_mark;
};

static int64_t now_ms(void)
{
    return clock_read().mono.ms;
}

static void pause_ms(int64_t ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* ---- asking ---- */

static void picture_free(struct picture *picture)
{
    if (picture->made) {
        figures_end(&picture->figures);
    }
    free(picture->sources);
    *picture = (struct picture){0};
}

static enum err on_status(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct picture *picture = context;
    const struct rep_status *status = &reply->u.status;
    size_t count = status->child_count < CHILDREN_MAX ? status->child_count : CHILDREN_MAX;
    free(picture->sources);
    picture->sources = calloc(count + 1, sizeof *picture->sources);
    if (picture->sources == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        const struct child_status *child = &status->children[i];
        struct source *source = &picture->sources[i];
        (void)snprintf(source->unit, sizeof source->unit, "%s", child->unit);
        source->state = child->state;
        source->exact_as_of = child->exact_as_of;
    }
    picture->source_count = count;
    return ERR_OK;
}

/* Without -p it is this year, also when a new one begins. */
static struct period period_now(const struct watch *watch)
{
    return watch->this_year ? period_of_day(FREQUENCY_YEAR, clock_read().today) : watch->period;
}

static enum err ask(struct watch *watch, struct picture *picture, struct errmsg *msg)
{
    struct figures *figures = &picture->figures;
    struct msg_request request = {.type = REQUEST_STATUS};
    struct asking asking = {.on_reply = on_status, .context = picture};
    picture->made = true;
    TRY(figures_begin(figures, watch->client, watch->unit, period_now(watch), watch->measures.codes,
                      watch->measures.count, watch->measures.count == 0, msg));
    picture->answer = &figures->answers[0];
    return client_ask(watch->client, &request, &asking, msg);
}

static enum err on_news(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    (void)context;
    (void)reply;
    (void)msg;
    return ERR_OK;
}

static enum err wait_for_news(struct watch *watch, struct errmsg *msg)
{
    const struct picture *picture = &watch->pictures[watch->last];
    struct msg_request request = {.type = REQUEST_WAIT,
                                  .u.wait = {.level = WAIT_NEWS,
                                             .revision = picture->figures.head.revision,
                                             .timeout_ms = NEWS_MS}};
    struct asking asking = {.on_reply = on_news, .timeout_ms = NEWS_MS + MARGIN_MS};
    return client_ask(watch->client, &request, &asking, msg);
}

/* ---- what has changed ---- */

static const char *figure_text(const struct total_row *row, char out[WIDE_TEXT_BYTES])
{
    if (row->indicator) {
        return row->indicator_value;
    }
    if (row->overflow || row->entries == 0) {
        return row->overflow ? "overflow" : "";
    }
    wide_format(row->value, row->decimals, out);
    return out;
}

/* Of the same period, or NULL. */
static const struct total_row *row_before(const struct watch *watch, const struct total_row *row)
{
    const struct picture *before = &watch->pictures[1 - watch->last];
    const struct total_row *found =
        before->answer == NULL ? NULL
                               : figures_find(before->answer, row->unit, false, row->measure);
    return found != NULL && strcmp(found->period, row->period) == 0 ? found : NULL;
}

static struct mark *mark_of(struct watch *watch, const char *measure)
{
    for (size_t i = 0; i < MEASURES_ASKED_MAX; i++) {
        if (strcmp(watch->marks[i].measure, measure) == 0) {
            return &watch->marks[i];
        }
    }
    return NULL;
}

/* "" for what is no difference of two numbers. */
static void change_text(const struct total_row *row, const struct total_row *before,
                        char out[WIDE_TEXT_BYTES])
{
    wide less;
    wide change;
    bool numbers = !row->indicator && before != NULL && !row->overflow && !before->overflow &&
                   !wide_mul_overflows(before->value, -1, &less) &&
                   !wide_add_overflows(row->value, less, &change);
    out[0] = '\0';
    if (numbers) {
        wide_format(change, row->decimals, out);
    }
}

static bool has_changed(const struct watch *watch, const struct total_row *row)
{
    char now[WIDE_TEXT_BYTES];
    char then[WIDE_TEXT_BYTES];
    const struct total_row *before = row_before(watch, row);
    return before == NULL || strcmp(figure_text(row, now), figure_text(before, then)) != 0;
}

static void mark(struct watch *watch, const struct total_row *row)
{
    struct mark *found = mark_of(watch, row->measure);
    if (found == NULL) {
        found = &watch->marks[watch->next_mark++ % MEASURES_ASKED_MAX];
    }
    (void)snprintf(found->measure, sizeof found->measure, "%s", row->measure);
    change_text(row, row_before(watch, row), found->change);
    found->until_ms = now_ms() + MARK_MS;
}

/* ---- on a terminal ---- */

static const char *bar(const struct source *source, struct wall now, char out[BAR * 3 + 1])
{
    static const int64_t MINUTES[] = {43200, 10080, 4320, 1440, 240, 60, 15, 5, 1};
    int64_t age = (now.ms - source->exact_as_of.ms) / 60000;
    int full = 0;
    if (source->state == LINK_EXACT) {
        full = BAR;
    } else if (source->exact_as_of.ms != 0) {
        for (size_t i = 0; i < sizeof MINUTES / sizeof *MINUTES; i++) {
            full += age < MINUTES[i] ? 1 : 0;
        }
    }
    out[0] = '\0';
    for (int i = 0; i < BAR; i++) {
        memcpy(out + strlen(out), i < full ? "█" : "░", sizeof "█");
    }
    return out;
}

static size_t lines_of_terminal(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    return known ? size.ws_row : LINES_USUAL;
}

static size_t at_least(size_t lines, size_t taken)
{
    return lines > taken + LINES_LEAST ? lines - taken : LINES_LEAST;
}

static enum err draw_figures(struct watch *watch, size_t room, struct errmsg *msg)
{
    const struct output_column columns[] = {{.name = N_("MEASURE")},
                                            {.name = N_("NAME")},
                                            {.name = N_("VALUE"), .right = true},
                                            {.name = N_("CHANGED"), .right = true},
                                            {.name = N_("REPORTED"), .right = true}};
    const struct figures_answer *answer = watch->pictures[watch->last].answer;
    struct output_table *table = output_table_new(columns, sizeof columns / sizeof *columns);
    size_t shown = answer->count <= room ? answer->count : room - 1;
    for (size_t i = 0; i < shown; i++) {
        const struct total_row *row = answer->rows[i];
        const struct mark *found = mark_of(watch, row->measure);
        bool marked = found != NULL && found->until_ms > now_ms();
        char value[WIDE_TEXT_BYTES];
        char amount[OUTPUT_AMOUNT_BYTES];
        char change[OUTPUT_AMOUNT_BYTES];
        char signs[OUTPUT_AMOUNT_BYTES + 8];
        char reported[OUTPUT_CELL_BYTES] = "";
        const char *by = !marked                    ? ""
                         : found->change[0] == '\0' ? "*"
                                                    : output_amount(found->change, "", change);
        (void)snprintf(signs, sizeof signs, "%s%s", by[0] >= '0' && by[0] <= '9' ? "+" : "", by);
        if (!row->indicator) {
            (void)snprintf(reported, sizeof reported, "%" PRId64 "/%" PRId64, row->reported,
                           row->expected);
        }
        const char *cells[] = {row->measure, row->name,
                               output_amount(figure_text(row, value), row->counted_in, amount),
                               signs, reported};
        output_line_bold(table, output_table_branch(table, NULL, cells), marked);
    }
    TRY(output_table_end(table, msg));
    if (shown < answer->count) {
        (void)printf(_("... and %zu more; name some with -m"), answer->count - shown);
        (void)printf("\n");
    }
    return ERR_OK;
}

static enum err draw_sources(const struct picture *picture, size_t room, struct errmsg *msg)
{
    const struct output_column columns[] = {{.name = N_("CHILD")},
                                            {.name = N_("FRESH")},
                                            {.name = N_("STATE")},
                                            {.name = N_("EXACT AS OF")}};
    struct output_table *table = output_table_new(columns, sizeof columns / sizeof *columns);
    size_t shown = picture->source_count <= room ? picture->source_count : room - 1;
    for (size_t i = 0; i < shown; i++) {
        const struct source *source = &picture->sources[i];
        char fresh[BAR * 3 + 1];
        char when[OUTPUT_CELL_BYTES];
        const char *cells[] = {source->unit, bar(source, clock_read().wall, fresh),
                               language_state(source->state),
                               output_time(source->exact_as_of, _("never"), when)};
        (void)output_table_branch(table, NULL, cells);
    }
    TRY(output_table_end(table, msg));
    if (shown < picture->source_count) {
        (void)printf(_("... and %zu more; see tally status"), picture->source_count - shown);
        (void)printf("\n");
    }
    return ERR_OK;
}

static enum err draw(struct watch *watch, struct errmsg *msg)
{
    const struct picture *picture = &watch->pictures[watch->last];
    const struct rep_total *head = &picture->figures.head;
    char when[OUTPUT_CELL_BYTES];
    char text[LANGUAGE_TEXT_BYTES];
    size_t lines = lines_of_terminal();
    size_t children = picture->source_count + 1 < lines / 3 ? picture->source_count : lines / 3;
    (void)printf("\033[2J\033[H%s (%s), %s\n", head->unit_name, head->unit, head->period);
    TRY(draw_figures(watch, at_least(lines, children + AROUND_LINES), msg));
    (void)printf("\n");
    TRY(draw_sources(picture, children < 2 ? 2 : children, msg));
    language_sources(text, sizeof text, output_time(head->as_of, "?", when), head->exact,
                     head->nodes);
    (void)printf(_("%s; Ctrl-C ends"), text);
    (void)printf("\n");
    (void)fflush(stdout);
    return ERR_OK;
}

/* ---- line by line ---- */

static enum err line_json(const struct watch *watch, const struct total_row *row,
                          struct errmsg *msg)
{
    char value[WIDE_TEXT_BYTES];
    char then[WIDE_TEXT_BYTES];
    const struct rep_total *head = &watch->pictures[watch->last].figures.head;
    const struct total_row *before = row_before(watch, row);
    return output_json_line(
        json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I}", "as_of",
                  output_json_time(head->as_of), "unit", row->unit, "measure", row->measure,
                  "period", row->period, "value", output_json_text(figure_text(row, value)),
                  "before", output_json_text(before == NULL ? "" : figure_text(before, then)),
                  "entries", (json_int_t)row->entries, "nodes", (json_int_t)head->nodes, "exact",
                  (json_int_t)head->exact),
        msg);
}

static void line_text(const struct watch *watch, const struct total_row *row)
{
    char value[WIDE_TEXT_BYTES];
    char then[WIDE_TEXT_BYTES];
    char amounts[2][OUTPUT_AMOUNT_BYTES];
    char when[OUTPUT_CELL_BYTES];
    const struct total_row *before = row_before(watch, row);
    const char *first = before == NULL ? "" : figure_text(before, then);
    (void)printf("%s  %s  %s  %s -> %s\n",
                 output_time(watch->pictures[watch->last].figures.head.as_of, "?", when), row->unit,
                 row->measure, output_amount(first, row->counted_in, amounts[0]),
                 output_amount(figure_text(row, value), row->counted_in, amounts[1]));
}

static const struct source *source_before(const struct watch *watch, const char *unit)
{
    const struct picture *before = &watch->pictures[1 - watch->last];
    for (size_t i = 0; i < before->source_count; i++) {
        if (strcmp(before->sources[i].unit, unit) == 0) {
            return &before->sources[i];
        }
    }
    return NULL;
}

/* Links whose state has changed. */
static enum err source_lines(const struct watch *watch, struct errmsg *msg)
{
    const struct picture *picture = &watch->pictures[watch->last];
    struct wall as_of = picture->figures.head.as_of;
    char when[OUTPUT_CELL_BYTES];
    for (size_t i = 0; i < picture->source_count; i++) {
        const struct source *source = &picture->sources[i];
        const struct source *before = source_before(watch, source->unit);
        const char *state = link_state_name(source->state);
        const char *first = before == NULL ? "" : link_state_name(before->state);
        if (strcmp(state, first) == 0) {
            continue;
        }
        if (watch->form == OUTPUT_JSON) {
            TRY(output_json_line(json_pack("{s:o, s:s, s:s, s:o, s:o}", "as_of",
                                           output_json_time(as_of), "child", source->unit, "state",
                                           state, "before", output_json_text(first), "exact_as_of",
                                           output_json_time(source->exact_as_of)),
                                 msg));
        } else {
            (void)printf("%s  %s  %s -> %s\n", output_time(as_of, "?", when), source->unit,
                         first[0] == '\0' ? "-" : first, state);
        }
    }
    return ERR_OK;
}

/* ---- the whole ---- */

static enum err show(struct watch *watch, struct errmsg *msg)
{
    const struct figures_answer *answer = watch->pictures[watch->last].answer;
    for (size_t i = 0; i < answer->count; i++) {
        const struct total_row *row = answer->rows[i];
        if (!has_changed(watch, row)) {
            continue;
        }
        if (watch->form == OUTPUT_JSON) {
            TRY(line_json(watch, row, msg));
        } else if (!watch->screen) {
            line_text(watch, row);
        } else if (row_before(watch, row) != NULL) {
            mark(watch, row);
        }
    }
    TRY(watch->screen ? draw(watch, msg) : source_lines(watch, msg));
    (void)fflush(stdout);
    return ERR_OK;
}

/* One look: figures, what has changed, and the wait for the next. */
static enum err look(struct watch *watch, bool *first, struct errmsg *msg)
{
    int64_t began = now_ms();
    struct picture *next = &watch->pictures[1 - watch->last];
    picture_free(next);
    enum err err = ask(watch, next, msg);
    if (err != ERR_OK) {
        picture_free(next);
        return err;
    }
    watch->last = 1 - watch->last;
    TRY(show(watch, msg));
    *first = false;
    TRY(wait_for_news(watch, msg));
    int64_t left = began + PACE_MS - now_ms();
    if (left > 0) {
        pause_ms(left);
    }
    return ERR_OK;
}

static enum err begin(struct watch *watch, struct client *client, struct errmsg *msg)
{
    const struct options *options = &client->options;
    watch->client = client;
    watch->unit = client_word(client, 0);
    watch->form = output_form(options);
    watch->screen = watch->form == OUTPUT_TABLE && isatty(STDOUT_FILENO) == 1;
    watch->this_year = !options_has(options, OPTION_PERIOD);
    TRY(watch->unit[0] == '\0' ? ERR_OK : checks_code("unit", watch->unit, msg));
    TRY(asked_measures(options, &watch->measures, msg));
    return !watch->this_year
               ? period_parse(options_text(options, OPTION_PERIOD), &watch->period, msg)
               : ERR_OK;
}

/* What is not for ever ends in another try, with one line for all of them. */
static enum err dial_again(struct client *client, enum err err, const struct errmsg *msg,
                           bool *told)
{
    if (err != ERR_UNREACHABLE && err != ERR_CLOSED && err != ERR_TIMEOUT && err != ERR_IO) {
        return err;
    }
    if (!*told) {
        (void)client_fail_err(err, msg);
        *told = true;
    }
    connection_close(client->connection);
    client->connection = NULL;
    pause_ms(AGAIN_MS);
    return ERR_OK;
}

enum exit_status cmd_watch(struct client *client)
{
    static struct watch watch; /* too large for the stack */
    struct errmsg msg = {""};
    bool first = true;
    bool told = false;
    enum err err = begin(&watch, client, &msg);
    while (err == ERR_OK && ferror(stdout) == 0) {
        err = look(&watch, &first, &msg);
        if (err == ERR_OK || (first && err != ERR_BUSY)) {
            told = false;
            continue;
        }
        if (err == ERR_BUSY) { /* many who watch have asked at once */
            pause_ms(BUSY_LEAST_MS + getpid() % BUSY_MORE_MS);
            err = ERR_OK;
            continue;
        }
        err = dial_again(client, err, &msg, &told);
    }
    picture_free(&watch.pictures[0]);
    picture_free(&watch.pictures[1]);
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

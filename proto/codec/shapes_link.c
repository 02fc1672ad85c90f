#include "codec/shapes.h"

#define P struct head
#define W Tally__Head
static const struct field shape_head_fields[] = {AS_ID(P, W, segment), AS_U64(P, W, length),
                                                 AS_HASH(P, W, hash)};
SHAPE(shape_head, head, tally__head__descriptor);
#undef P
#undef W

#define P struct feed_mark
#define W Tally__FeedMark
static const struct field shape_feed_mark_fields[] = {AS_ID(P, W, session), AS_I64(P, W, revision)};
static SHAPE(shape_feed_mark, feed_mark, tally__feed_mark__descriptor);
#undef P
#undef W

#define P struct origin_heads
#define W Tally__OriginHeads
static const struct field shape_origin_heads_fields[] = {
    AS_ID(P, W, origin),
    AS_ARRAY(FIELD_MANY, P, W, heads, head_count, heads, HEADS_MAX, &shape_head)};
SHAPE(shape_origin_heads, origin_heads, tally__origin_heads__descriptor);
#undef P
#undef W

#define P struct signed_heads
#define W Tally__SignedHeads
static const struct field shape_signed_heads_fields[] = {AS_ONE(P, W, heads, shape_origin_heads),
                                                         AS_WALL(P, W, at), AS_HASH(P, W, key),
                                                         AS_SIGN(P, W, signature)};
static SHAPE(shape_signed_heads, signed_heads, tally__signed_heads__descriptor);
#undef P
#undef W

#define P struct opening
#define W Tally__Opening
static const struct field shape_opening_fields[] = {
    AS_ID(P, W, origin), AS_ID(P, W, segment),
    AS_ARRAY(FIELD_MANY, P, W, continues, continue_count, continues, CONTINUES_MAX, &shape_head)};
static SHAPE(shape_opening, opening, tally__opening__descriptor);
#undef P
#undef W

#define P struct digest
#define W Tally__Digest
static const struct field shape_digest_fields[] = {AS_ID(P, W, origin), AS_ID(P, W, sum),
                                                   AS_I64(P, W, count)};
static SHAPE(shape_digest, digest, tally__digest__descriptor);
#undef P
#undef W

#define P struct unit_edge
#define W Tally__Edge
static const struct field shape_edge_fields[] = {AS_STR(P, W, parent, CODE_MAX_BYTES),
                                                 AS_I32(P, W, from), AS_I32(P, W, to)};
static SHAPE(shape_edge, unit_edge, tally__edge__descriptor);
#undef P
#undef W

#define P struct unit_row
#define W Tally__UnitRow
static const struct field shape_unit_fields[] = {
    AS_STR(P, W, code, CODE_MAX_BYTES),
    AS_STR(P, W, name, NAME_MAX_BYTES),
    AS_STR(P, W, level, CODE_MAX_BYTES),
    AS_ARRAY(FIELD_MANY, P, W, edges, edge_count, edges, EDGES_MAX, &shape_edge),
    AS_ID(P, W, decider),
    AS_I64(P, W, count)};
static SHAPE(shape_unit, unit_row, tally__unit_row__descriptor);
#undef P
#undef W

#define P struct hosting_row
#define W Tally__HostingRow
static const struct field shape_hosting_fields[] = {AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                    AS_ID(P, W, node),
                                                    AS_ID(P, W, origin),
                                                    AS_HASH(P, W, key),
                                                    AS_I64(P, W, number),
                                                    AS_BOOL(P, W, revoked),
                                                    AS_ID(P, W, decider),
                                                    AS_I64(P, W, count)};
static SHAPE(shape_hosting, hosting_row, tally__hosting_row__descriptor);
#undef P
#undef W

#define P struct status_row
#define W Tally__StatusRow
static const struct field shape_status_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES), AS_ID(P, W, node),  AS_ENUM(P, W, state, LINK_FENCED),
    AS_WALL(P, W, exact_as_of),         AS_I64(P, W, held), AS_I64(P, W, lost)};
static SHAPE(shape_status, status_row, tally__status_row__descriptor);
#undef P
#undef W

#define P struct ancestor
#define W Tally__Ancestor
static const struct field shape_ancestor_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES), AS_ID(P, W, node), AS_HASH(P, W, key),
    AS_STRS(P, W, addresses, address_count, ADDRESSES_MAX, ADDRESS_MAX_BYTES)};
SHAPE(shape_ancestor, ancestor, tally__ancestor__descriptor);
#undef P
#undef W

#define P struct msg_hello
#define W Tally__Hello
static const struct field shape_hello_fields[] = {
    AS_U32(P, W, protocol_min),
    AS_U32(P, W, protocol_max),
    AS_STR(P, W, software, CODE_MAX_BYTES),
    AS_ID(P, W, tree),
    AS_ID(P, W, node),
    AS_ID(P, W, origin),
    AS_U64(P, W, catalogue_version),
    AS_ARRAY(FIELD_MANY, P, W, sessions, session_count, sessions, SESSIONS_MAX, &shape_feed_mark),
    AS_ARRAY(FIELD_MANY, P, W, heads, head_count, heads, HEADS_MAX, &shape_head),
    AS_ONE(P, W, remembered, shape_feed_mark),
    AS_ONE(P, W, have, shape_feed_mark),
    AS_ONE(P, W, unit, shape_unit),
    AS_ONE(P, W, hosting, shape_hosting)};
SHAPE(shape_hello, msg_hello, tally__hello__descriptor);
#undef P
#undef W

#define P struct msg_welcome
#define W Tally__Welcome
static const struct field shape_welcome_fields[] = {
    AS_U32(P, W, protocol),
    AS_STR(P, W, software, CODE_MAX_BYTES),
    AS_ID(P, W, tree),
    AS_ID(P, W, node),
    AS_ID(P, W, session),
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, unit_name, NAME_MAX_BYTES),
    AS_STR(P, W, unit_level, CODE_MAX_BYTES),
    AS_U64(P, W, catalogue_version),
    AS_ONE(P, W, have, shape_feed_mark),
    AS_ARRAY(FIELD_MANY, P, W, escrow, escrow_count, escrow, HEADS_MAX, &shape_head),
    AS_ARRAY(FIELD_MANY, P, W, known, known_count, known, BATCH_ROWS_MAX, &shape_origin_heads),
    AS_ARRAY(FIELD_MANY, P, W, ancestors, ancestor_count, ancestors, ANCESTORS_MAX,
             &shape_ancestor),
    AS_WALL(P, W, now),
    AS_I64(P, W, root_revision),
    AS_BOOL(P, W, heal),
    AS_I64(P, W, heal_entries),
    AS_BOOL(P, W, takes_back)};
SHAPE(shape_welcome, msg_welcome, tally__welcome__descriptor);
#undef P
#undef W

#define P struct msg_refuse
#define W Tally__Refuse
static const struct field shape_refuse_fields[] = {
    AS_ENUM(P, W, code, REFUSAL_SHUTDOWN), AS_STR(P, W, text, TEXT_MAX_BYTES),
    AS_U32(P, W, protocol_min), AS_U32(P, W, protocol_max), AS_WALL(P, W, retry_after)};
SHAPE(shape_refuse, msg_refuse, tally__refuse__descriptor);
#undef P
#undef W

#define P struct cell_key
#define W Tally__CellKey
static const struct field shape_cell_key_fields[] = {
    AS_ID(P, W, origin), AS_STR(P, W, unit, CODE_MAX_BYTES), AS_STR(P, W, measure, CODE_MAX_BYTES),
    AS_STR(P, W, category, CATEGORY_MAX_BYTES), AS_I32(P, W, period)};
static SHAPE(shape_cell_key, cell_key, tally__cell_key__descriptor);
#undef P
#undef W

#define P struct range_ask
#define W Tally__RangeAsk
static const struct field shape_range_ask_fields[] = {AS_ONE(P, W, after, shape_cell_key),
                                                      AS_ONE(P, W, upto, shape_cell_key),
                                                      AS_BOOL(P, W, to_end), AS_U32(P, W, grain)};
static SHAPE(shape_range_ask, range_ask, tally__range_ask__descriptor);
#undef P
#undef W

#define P struct range_sum
#define W Tally__RangeSum
static const struct field shape_range_sum_fields[] = {AS_ONE(P, W, last, shape_cell_key),
                                                      AS_ID(P, W, sum)};
static SHAPE(shape_range_sum, range_sum, tally__range_sum__descriptor);
#undef P
#undef W

#define P struct ranges
#define W Tally__Ranges
static const struct field shape_ranges_fields[] = {
    AS_ONE(P, W, asked, shape_range_ask),
    AS_ARRAY(FIELD_MANY, P, W, sums, sum_count, sums, RANGES_MAX, &shape_range_sum),
    AS_BOOL(P, W, end)};
static SHAPE(shape_ranges, ranges, tally__ranges__descriptor);
#undef P
#undef W

#define P struct msg_batch
#define W Tally__Batch
static const struct field shape_batch_fields[] = {
    AS_U64(P, W, number),
    AS_ONE(P, W, upto, shape_feed_mark),
    AS_ARRAY(FIELD_MANY, P, W, units, unit_count, units, BATCH_ROWS_MAX, &shape_unit),
    AS_ARRAY(FIELD_MANY, P, W, hostings, hosting_count, hostings, BATCH_ROWS_MAX, &shape_hosting),
    AS_ARRAY(FIELD_MANY, P, W, statuses, status_count, statuses, BATCH_ROWS_MAX, &shape_status),
    AS_ARRAY(FIELD_MANY, P, W, openings, opening_count, openings, BATCH_ROWS_MAX, &shape_opening),
    AS_ARRAY(FIELD_MANY, P, W, signed_heads, signed_heads_count, signed_heads, BATCH_ROWS_MAX,
             &shape_signed_heads),
    AS_ARRAY(FIELD_MANY, P, W, heads, heads_count, heads, BATCH_ROWS_MAX, &shape_origin_heads),
    AS_BOOL(P, W, mark),
    AS_WALL(P, W, marked_at),
    AS_ARRAY(FIELD_MANY, P, W, digests, digest_count, digests, BATCH_ROWS_MAX, &shape_digest),
    AS_ARRAY(FIELD_MANY, P, W, ranges, range_count, ranges, 1, &shape_ranges),
    AS_BOOL(P, W, compares),
    AS_BOOL(P, W, returned),
    AS_BOOL(P, W, returned_first),
    AS_BOOL(P, W, returned_last)};
SHAPE(shape_batch, msg_batch, tally__batch__descriptor);
#undef P
#undef W

#define P struct refused_row
#define W Tally__RefusedRow
static const struct field shape_refused_fields[] = {AS_ENUM(P, W, reason, REFUSE_REASON_COUNT - 1),
                                                    AS_ID(P, W, origin),
                                                    AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                    AS_STR(P, W, measure, CODE_MAX_BYTES),
                                                    AS_STR(P, W, category, CATEGORY_MAX_BYTES),
                                                    AS_I32(P, W, period),
                                                    AS_I64(P, W, count)};
static SHAPE(shape_refused, refused_row, tally__refused_row__descriptor);
#undef P
#undef W

#define P struct msg_ack
#define W Tally__Ack
static const struct field shape_ack_fields[] = {
    AS_U64(P, W, number),
    AS_ONE(P, W, upto, shape_feed_mark),
    AS_ARRAY(FIELD_MANY, P, W, escrow, escrow_count, escrow, HEADS_MAX, &shape_head),
    AS_ARRAY(FIELD_MANY, P, W, refused, refused_count, refused, REFUSED_ROWS_MAX, &shape_refused),
    AS_I64(P, W, refused_total),
    AS_I64(P, W, held),
    AS_I64(P, W, root_revision),
    AS_ARRAY(FIELD_IDS, P, W, unequal, unequal_count, unequal, BATCH_ROWS_MAX, NULL),
    AS_BOOL(P, W, unasked),
    AS_BOOL(P, W, differs),
    AS_ARRAY(FIELD_MANY, P, W, compare, compare_count, compare, 1, &shape_range_ask),
    AS_ARRAY(FIELD_MANY, P, W, again, again_count, again, BATCH_ROWS_MAX, &shape_cell_key)};
SHAPE(shape_ack, msg_ack, tally__ack__descriptor);
#undef P
#undef W

#define P struct msg_catalogue
#define W Tally__Catalogue
static const struct field shape_catalogue_fields[] = {
    AS_U64(P, W, version), AS_BLOB(P, W, content, CATALOGUE_MAX_BYTES), AS_SIGN(P, W, signature)};
SHAPE(shape_catalogue, msg_catalogue, tally__catalogue__descriptor);
#undef P
#undef W

#define P struct msg_ping
#define W Tally__Ping
static const struct field shape_ping_fields[] = {AS_BOOL(P, W, answer),
                                                 AS_U64(P, W, nonce),
                                                 AS_WALL(P, W, now),
                                                 AS_BOOL(P, W, at_head),
                                                 AS_ONE(P, W, upto, shape_feed_mark),
                                                 AS_I64(P, W, root_revision)};
SHAPE(shape_ping, msg_ping, tally__ping__descriptor);
#undef P
#undef W

#define P struct msg_join
#define W Tally__Join
static const struct field shape_join_fields[] = {
    AS_ID(P, W, invite),
    AS_HASH(P, W, proof),
    AS_BLOB(P, W, node_request, FRAME_MAX_BYTES_STRANGER),
    AS_BLOB(P, W, ca_request, FRAME_MAX_BYTES_STRANGER),
    AS_STR(P, W, address, ADDRESS_MAX_BYTES),
    AS_ID(P, W, origin)};
SHAPE(shape_join, msg_join, tally__join__descriptor);
#undef P
#undef W

#define P struct msg_joined
#define W Tally__Joined
static const struct field shape_joined_fields[] = {AS_ENUM(P, W, err, ERR_COUNT - 1),
                                                   AS_STR(P, W, text, TEXT_MAX_BYTES),
                                                   AS_ID(P, W, tree),
                                                   AS_ID(P, W, node),
                                                   AS_ID(P, W, origin),
                                                   AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                   AS_STR(P, W, unit_name, NAME_MAX_BYTES),
                                                   AS_STR(P, W, unit_level, CODE_MAX_BYTES),
                                                   AS_I64(P, W, hosting),
                                                   AS_HASH(P, W, root_key),
                                                   AS_BLOB(P, W, node_chain, FRAME_MAX_BYTES),
                                                   AS_BLOB(P, W, ca_chain, FRAME_MAX_BYTES),
                                                   AS_ARRAY(FIELD_MANY, P, W, ancestors,
                                                            ancestor_count, ancestors,
                                                            ANCESTORS_MAX, &shape_ancestor),
                                                   AS_WALL(P, W, now)};
SHAPE(shape_joined, msg_joined, tally__joined__descriptor);
#undef P
#undef W

#define P struct msg_bundle
#define W Tally__Bundle
static const struct field shape_bundle_fields[] = {AS_ENUM(P, W, kind, BUNDLE_ANSWER),
                                                   AS_ID(P, W, tree),
                                                   AS_ID(P, W, node),
                                                   AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                   AS_ONE(P, W, after, shape_feed_mark),
                                                   AS_ID(P, W, seen),
                                                   AS_WALL(P, W, written_at),
                                                   AS_ONE(P, W, entries_after, shape_head)};
SHAPE(shape_bundle, msg_bundle, tally__bundle__descriptor);
#undef P
#undef W

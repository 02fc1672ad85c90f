/* The bulk of a batch, cells and entries, as columns that name texts and origins by their numbers.
 */
#ifndef TALLY_CODEC_COLUMNS_H
#define TALLY_CODEC_COLUMNS_H

#include "codec/tables.h"
#include "proto/message.h"
#include "tally.pb-c.h"

/* Fill wire->cells and wire->entries; new texts and origins are announced in the tables. */
enum err columns_to_wire(const struct msg_batch *batch, struct tables *tables, struct arena *arena,
                         Tally__Batch *wire) MUST_CHECK;

/* Fill batch->cells and batch->entries. Texts are copied into the arena, once each. */
enum err columns_from_wire(const Tally__Batch *wire, const struct tables *tables,
                           struct arena *arena, struct msg_batch *batch, struct errmsg *msg)
    MUST_CHECK;

#endif

/* What makes a file of the newest schema one of the first, as if it had never been migrated: with
 * each migration what it adds is taken away here. */
#ifndef TALLY_SIM_OLD_SCHEMA_H
#define TALLY_SIM_OLD_SCHEMA_H

#define OLD_SCHEMA_SQL                                                                        \
    "ALTER TABLE segment DROP COLUMN row_hash; "                                              \
    "DROP TABLE returned; DROP TABLE returned_segment; DROP TABLE returned_cell; "            \
    "DROP INDEX entry_by_lost; ALTER TABLE status DROP COLUMN lost; ALTER TABLE origin DROP " \
    "COLUMN stood; "                                                                          \
    "DROP TABLE bundle; "                                                                     \
    "DROP TABLE ended; DROP TABLE unsettled; ALTER TABLE segment DROP COLUMN clock; "         \
    "ALTER TABLE entry DROP COLUMN healed_at; ALTER TABLE child DROP COLUMN midway; "         \
    "DROP INDEX entry_by_reference; ALTER TABLE session DROP COLUMN head; "                   \
    "ALTER TABLE unit DROP COLUMN hash; ALTER TABLE hosting DROP COLUMN hash; "               \
    "PRAGMA user_version=1;"

#endif

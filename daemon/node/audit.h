/* Recomputation: totals from cells, cells from the own ledger, chains, the escrow, digests. It
 * reads a store in slices and reports what differs; `tally verify` runs it on a reader to the end,
 * the node runs it slice by slice after every start and once a day. It changes nothing. */
#ifndef TALLY_NODE_AUDIT_H
#define TALLY_NODE_AUDIT_H

#include "node/view.h"

enum audit_check {
    AUDIT_TOTALS,
    AUDIT_CELLS,
    AUDIT_LEDGER,
    AUDIT_CHAINS,
    AUDIT_DIGESTS,
    AUDIT_ESCROW,
    AUDIT_UNITS,
    AUDIT_COUNT
};

struct audit_finding {
    enum audit_check check;
    struct store_cell_key key; /* of a cell (origin set) or total (origin 0); else zeros */
    const char *text;          /* names the thing; valid during the call */
    struct id sum;             /* digests: what the rows come to */
    int64_t count;
    int64_t place; /* units: symbol of the unit, whose the row is, and who decided it; else zeros */
    int64_t scope;
    struct id decider;
    bool hosting;    /* of these: the row of its node */
    int64_t segment; /* of an own record whose kept state is wrong, its number in it, and what */
    int64_t seq;     /* that state should be; else zeros */
    bool live;
    int64_t value;
    bool own_chain_broken; /* the own ledger cannot be trusted to mend anything */
};

typedef enum err (*audit_finding_fn)(void *ctx, const struct audit_finding *finding);

struct auditor;

/* NULL when memory ends. The view must live until the auditor is freed, and be that of the file at
 * every step. */
struct auditor *auditor_new(struct store *store, const struct view *view, audit_finding_fn finding,
                            void *ctx);
void auditor_free(struct auditor *auditor);
/* Whether rows were found not to be where they are looked for: nothing after that was looked at,
 * and nothing may be mended. */
bool auditor_unsound(const struct auditor *auditor);

/* One slice, inside one transaction of the caller; *done after the last. A row that changes between
 * slices is not taken for a fault: what differs is looked at again inside one slice. */
enum err auditor_step(struct auditor *auditor, bool *done) MUST_CHECK;

/* "cell of unit ..." or "total of unit ...": how a finding's text about that key begins. */
enum err audit_subject(struct store *store, const struct view *view, const char *what,
                       const struct store_cell_key *key, char *out, size_t size) MUST_CHECK;

/* Only this cell against its hash, or only this entry against its own and the one before. */
enum err audit_one_cell(struct store *store, const struct view *view, const struct store_cell *row,
                        audit_finding_fn finding, void *ctx) MUST_CHECK;
enum err audit_one_entry(struct store *store, const struct view *view,
                         const struct store_segment *segment, const struct store_entry *row,
                         audit_finding_fn finding, void *ctx) MUST_CHECK;

/* The right value of a total (by its key), computed from cells; of own cells (by their keys), from
 * the own ledger in one walk. ERR_REFUSED when one of those cells, or the own ledger, is damaged.
 */
enum err audit_recompute_total(struct store *store, const struct view *view,
                               struct store_total *total) MUST_CHECK;
enum err audit_recompute_own_cells(struct store *store, const struct view *view,
                                   struct store_cell *cells, size_t count) MUST_CHECK;

/* What the corrections leave of an own record, from the own ledger; ERR_REFUSED as above. */
enum err audit_recompute_record(struct store *store, const struct view *view,
                                struct store_entry *record) MUST_CHECK;

const char *audit_check_name(enum audit_check check);
int64_t auditor_examined(const struct auditor *auditor, enum audit_check check);

#endif

/* Units as `tally tree` and `tally unit list` show them. */
#ifndef TALLY_CLIENT_TREEVIEW_H
#define TALLY_CLIENT_TREEVIEW_H

#include "client/output.h"

/* Collects the rows of all frames and draws them as a tree: every unit below its parent. */
struct treeview;

/* NULL when memory ends; every function takes that NULL. */
struct treeview *treeview_new(void);
void treeview_add(struct treeview *view, const struct tree_row *row);

/* Prints, and gives the view back. */
enum err treeview_end(struct treeview *view, struct errmsg *msg) MUST_CHECK;

json_t *treeview_json(const struct tree_row *row);

#endif

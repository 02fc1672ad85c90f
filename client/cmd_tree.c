#include "client/commands.h"
#include "client/treeview.h"

static const char *const CSV_HEAD[] = {"unit",  "name",        "level", "parent", "node",
                                       "state", "exact_as_of", "from",  "to"};

enum { CSV_CELLS = sizeof CSV_HEAD / sizeof *CSV_HEAD };

struct view {
    enum output_form form;
    bool begun;
    struct treeview *tree;
    struct output_list list;
};

static void csv_row(const struct tree_row *row)
{
    char when[OUTPUT_CELL_BYTES];
    char from[OUTPUT_CELL_BYTES];
    char to[OUTPUT_CELL_BYTES];
    const char *cells[CSV_CELLS] = {row->unit,
                                    row->name,
                                    row->level,
                                    row->parent,
                                    row->node ? "true" : "false",
                                    row->node ? link_state_name(row->state) : "",
                                    output_time(row->exact_as_of, "", when),
                                    output_day(row->from, "", from),
                                    output_day(row->to, "", to)};
    output_csv_row(cells, CSV_CELLS);
}

static void begin(struct view *view)
{
    if (view->begun) {
        return;
    }
    view->begun = true;
    switch (view->form) {
    case OUTPUT_TABLE:
        view->tree = treeview_new();
        break;
    case OUTPUT_JSON:
        output_list_begin(&view->list, NULL, NULL);
        break;
    case OUTPUT_CSV:
        output_csv_row(CSV_HEAD, CSV_CELLS);
        break;
    }
}

static enum err on_tree(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    (void)msg;
    begin(view);
    for (size_t i = 0; i < reply->u.tree.row_count; i++) {
        const struct tree_row *row = &reply->u.tree.rows[i];
        switch (view->form) {
        case OUTPUT_TABLE:
            treeview_add(view->tree, row);
            break;
        case OUTPUT_JSON:
            output_list_item(&view->list, treeview_json(row));
            break;
        case OUTPUT_CSV:
            csv_row(row);
            break;
        }
    }
    return ERR_OK;
}

static enum err end(struct view *view, enum err err, struct errmsg *msg)
{
    if (err == ERR_OK) {
        begin(view);
    }
    if (view->form == OUTPUT_TABLE && view->begun) {
        enum err printed = treeview_end(view->tree, err == ERR_OK ? msg : NULL);
        return err == ERR_OK ? printed : err;
    }
    return view->form == OUTPUT_JSON && err == ERR_OK ? output_list_end(&view->list, msg) : err;
}

enum exit_status cmd_tree(struct client *client)
{
    struct errmsg msg = {""};
    struct view view = {.form = output_form(&client->options)};
    struct msg_request request = {.type = REQUEST_TREE};
    struct asking asking = {.on_reply = on_tree, .context = &view};
    enum err err = end(&view, client_ask(client, &request, &asking, &msg), &msg);
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

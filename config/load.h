/* A YAML file read into a struct by libcyaml, with every complaint as one line that begins with
 * "FILE:LINE:COLUMN: ". libcyaml checks the form against the schema and says what is wrong and
 * where in the schema; the outline says where in the file that is. Single-threaded. */
#ifndef TALLY_CONFIG_LOAD_H
#define TALLY_CONFIG_LOAD_H

#include <cyaml/cyaml.h>

#include "base/bytes.h"
#include "config/outline.h"

struct load_file {
    const char *name; /* as in messages; borrowed */
    struct buf text;
    struct arena arena;
    struct outline outline;
    const cyaml_schema_value_t *schema;
    void *data; /* the schema's struct */
};

/* Reads the file and fills `out->data` as the schema says; `out` is given back with load_close.
 * ERR_NOT_FOUND, ERR_IO, ERR_NO_MEMORY, or ERR_INVALID with the position. */
enum err load_open(const char *path, const cyaml_schema_value_t *schema, struct load_file *out,
                   struct errmsg *msg) MUST_CHECK;
void load_close(struct load_file *file);

/* The value of key `field` in element `index` of the list `list`; where a part is missing, what
 * stands around it. `field` may be NULL. */
int32_t load_node(const struct load_file *file, const char *list, size_t index, const char *field);

/* ERR_INVALID with "FILE:LINE:COLUMN: " and the sentence. */
enum err load_fail(const struct load_file *file, int32_t node, struct errmsg *msg, const char *fmt,
                   ...) PRINTF_LIKE(4, 5);

#endif

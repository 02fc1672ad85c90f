#include "store/statements.h"

#define STORE_STATEMENT_SQL(name, sql) [STMT_##name] = sql,
static const char *const SQL[STMT_COUNT] = {STORE_STATEMENTS(STORE_STATEMENT_SQL)};
#undef STORE_STATEMENT_SQL

const char *store_sql(enum store_stmt stmt)
{
    return SQL[stmt];
}

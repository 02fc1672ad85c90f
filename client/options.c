#include "client/options.h"

#include <string.h>

#include "base/check.h"
#include "base/text.h"

enum { HELP_COLUMN = 26 };

struct option_row {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what its value is called; NULL: it takes none */
    bool many;
    const char *help;
};

static const struct option_row ROWS[OPTION_COUNT] = {
    [OPTION_DATA] = {"data", 0, "DIR", false, "the node whose data directory this is"},
    [OPTION_NODE] = {"node", 0, "HOST:PORT", false, "the node at this address, over TLS"},
    [OPTION_CERT] = {"cert", 0, "FILE", false, "with --node: client certificate (DIR/admin.crt)"},
    [OPTION_CERT_KEY] = {"cert-key", 0, "FILE", false, "with --node: its key (DIR/admin.key)"},
    [OPTION_ROOT] = {"root", 0, "FILE", false, "with --node: root certificate (DIR/root.crt)"},
    [OPTION_JSON] = {"json", 0, NULL, false, "print JSON"},
    [OPTION_CSV] = {"csv", 0, NULL, false, "print CSV (RFC 4180)"},
    [OPTION_HELP] = {"help", 'h', NULL, false, "this text"},
    [OPTION_VERSION] = {"version", 'V', NULL, false, "the version of this program"},
    [OPTION_DRY_RUN] = {"dry-run", 0, NULL, false, "say what would change, and change nothing"},
    [OPTION_NAME] = {"name", 0, "NAME", false, "the unit's name, for people"},
    [OPTION_LEVEL] = {"level", 0, "LEVEL", false, "the unit's level, one of the catalogue's"},
    [OPTION_PARENT] = {"parent", 0, "UNIT", false, "the unit above it (the node's own unit)"},
    [OPTION_EXPIRES] = {"expires", 0, "TIME", false, "how long it is valid: 30m, 24h, 7d (24h)"},
    [OPTION_REPLACE] = {"replace", 0, NULL, false,
                        "the unit's node lost its disk; revokes its key"},
    [OPTION_HEALED] = {"healed", 0, NULL, false,
                       "only what came back after a loss, and what was typed meanwhile"},
    [OPTION_AUTHOR] = {"author", 0, "NAME", false, "only what this one typed"},
    [OPTION_KIND] = {"kind", 0, "KIND", false, "only of one kind: record, amend, void, lost"},
    [OPTION_DATE] = {"date", 0, "DATE", false, "the day it counts for, like 2023-06-18 (today)"},
    [OPTION_CATEGORY] = {"category", 0, "DIM=VALUE", false, "its category, like group=cadre"},
    [OPTION_KEY] = {"key", 0, "KEY", false,
                    "your own key: the same key again counts nothing twice"},
    [OPTION_NOTE] = {"note", 0, "TEXT", false, "a note that is kept with it"},
    [OPTION_WAIT] = {"wait", 0, "parent|root", false, "wait until it has arrived there"},
    [OPTION_TIMEOUT] = {"timeout", 0, "SECONDS", false, "how long to wait at most (30)"},
    [OPTION_PARTIAL] = {"partial", 0, NULL, false, "record the good rows of a file with bad ones"},
    [OPTION_ERRORS] = {"errors", 0, "FILE", false,
                       "a new file for all wrong rows with their reasons, as CSV"},
    [OPTION_MEASURE] = {"measure", 'm', "MEASURE", true, "only this one; may be repeated; a,b,c"},
    [OPTION_PERIOD] = {"period", 'p', "PERIOD", false,
                       "2023, 2023H1, 2023Q2, 2023-06, 2023-06-18; or A..B"},
    [OPTION_BY] = {"by", 0, "WHAT", false, "a row for each: child, level=LEVEL, period, category"},
    [OPTION_TARGETS] = {"targets", 0, NULL, false,
                        "with what is wanted, and how far that is reached"},
    [OPTION_AGAINST] = {"against", 0, "PERIOD", false,
                        "with the change since a period: previous, year, or one like 2022H1"},
    [OPTION_TREE_AS_OF] = {"tree-as-of", 0, "DATE", false, "with the tree as it was on that day"},
    [OPTION_TO] = {"to", 0, "UNIT", false, "the answer to that unit, instead of the own feed"},
    [OPTION_WHOLE] = {"whole", 0, NULL, false,
                      "all of it, whatever the other side is known to have"},
    [OPTION_PATTERN] = {"pattern", 0, "PATTERN", false,
                        "issue codes, like {parent}.## : 436.01, 436.02"},
    [OPTION_LANG] = {"lang", 0, "vi|en", false, "in that language, whatever the locale is"},
};

/* ---- one argument ---- */

struct reader {
    int argc;
    char *const *argv;
    int at;
    struct options *out;
    struct errmsg *msg;
};

/* "-" and numbers are words: `tally record U M -5`. */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && (arg[1] < '0' || arg[1] > '9') && arg[1] != '.';
}

/* The options that are nearest to the word, all at the least distance. */
static enum err fail_unknown(const char *arg, size_t len, struct errmsg *msg)
{
    char word[64];
    char hint[NEAREST_MAX * (NEAREST_NAME_BYTES + 24)] = "; --help lists the options";
    struct nearest nearest;
    (void)snprintf(word, sizeof word, "%.*s", (int)len, arg);
    nearest_init(&nearest, word + strspn(word, "-"));
    for (int i = 0; i < OPTION_COUNT; i++) {
        nearest_offer(&nearest, ROWS[i].name);
    }
    for (size_t i = 0; i < nearest.count && nearest.distance[i] == nearest.distance[0]; i++) {
        size_t used = i == 0 ? 0 : strlen(hint) - 1; /* over the question mark */
        (void)snprintf(hint + used, sizeof hint - used, "%s--%s?",
                       i == 0 ? "; did you mean " : " or ", nearest.name[i]);
    }
    return err_fail(msg, ERR_USAGE, "unknown option %s%s", word, hint);
}

static enum option find_long(const char *name, size_t len)
{
    int i = 0;
    while (i < OPTION_COUNT &&
           (strlen(ROWS[i].name) != len || memcmp(ROWS[i].name, name, len) != 0)) {
        i++;
    }
    return (enum option)i;
}

static enum option find_letter(char letter)
{
    int i = 0;
    while (i < OPTION_COUNT && ROWS[i].letter != letter) {
        i++;
    }
    return (enum option)i;
}

/* Whether the argument is an option that there is: then it is not the value of the one before. */
static bool known_option(const char *arg)
{
    if (!is_option(arg)) {
        return false;
    }
    if (arg[1] != '-') {
        return arg[2] == '\0' && find_letter(arg[1]) != OPTION_COUNT;
    }
    return find_long(arg + 2, strcspn(arg + 2, "=")) != OPTION_COUNT;
}

static enum err value_take(struct reader *reader, enum option option, const char *value)
{
    struct options *out = reader->out;
    if (ROWS[option].many) {
        if (out->measure_count == MEASURES_ASKED_MAX) {
            return err_fail(reader->msg, ERR_USAGE, "--%s is given more than %d times",
                            ROWS[option].name, MEASURES_ASKED_MAX);
        }
        out->measures[out->measure_count++] = value;
    } else if ((out->given & OPTION_BIT(option)) != 0 && ROWS[option].value != NULL) {
        return err_fail(reader->msg, ERR_USAGE, "--%s is given twice", ROWS[option].name);
    }
    out->given |= OPTION_BIT(option);
    out->values[option] = value;
    return ERR_OK;
}

/* `inside` is the value that was written in the same argument, or NULL. */
static enum err option_take(struct reader *reader, enum option option, const char *inside)
{
    const struct option_row *row = &ROWS[option];
    if (row->value == NULL) {
        if (inside != NULL) {
            return err_fail(reader->msg, ERR_USAGE, "--%s takes no value", row->name);
        }
        return value_take(reader, option, NULL);
    }
    if (inside == NULL) {
        const char *next = reader->at < reader->argc ? reader->argv[reader->at] : NULL;
        if (next == NULL || strcmp(next, "--") == 0 || known_option(next)) {
            return err_fail(reader->msg, ERR_USAGE, "--%s needs a value: --%s %s", row->name,
                            row->name, row->value);
        }
        inside = next;
        reader->at++;
    }
    return value_take(reader, option, inside);
}

static enum err long_take(struct reader *reader, const char *arg)
{
    size_t len = strcspn(arg + 2, "=");
    enum option option = find_long(arg + 2, len);
    if (option == OPTION_COUNT) {
        return fail_unknown(arg, len + 2, reader->msg);
    }
    return option_take(reader, option, arg[2 + len] == '=' ? arg + len + 3 : NULL);
}

static enum err letter_take(struct reader *reader, const char *arg)
{
    enum option option = find_letter(arg[1]);
    const char *rest = arg + 2;
    bool flag = option != OPTION_COUNT && ROWS[option].value == NULL;
    if (option == OPTION_COUNT || (flag && rest[0] != '\0')) {
        return fail_unknown(arg, strlen(arg), reader->msg);
    }
    rest += rest[0] == '=' ? 1 : 0;
    return option_take(reader, option, arg[2] == '\0' ? NULL : rest);
}

static enum err word_take(struct reader *reader, const char *arg)
{
    struct options *out = reader->out;
    if (out->word_count == OPTIONS_WORDS_MAX) {
        return err_fail(reader->msg, ERR_USAGE, "too many words from \"%.40s\" on", arg);
    }
    out->words[out->word_count++] = arg;
    return ERR_OK;
}

/* ---- what others call ---- */

enum err options_parse(int argc, char *const argv[], struct options *out, struct errmsg *msg)
{
    struct options options = {0};
    struct reader reader = {.argc = argc, .argv = argv, .at = 1, .out = &options, .msg = msg};
    bool ended = false;
    while (reader.at < argc) {
        const char *arg = argv[reader.at++];
        if (ended || !is_option(arg)) {
            TRY(word_take(&reader, arg));
        } else if (strcmp(arg, "--") == 0) {
            ended = true;
        } else if (arg[1] == '-') {
            TRY(long_take(&reader, arg));
        } else {
            TRY(letter_take(&reader, arg));
        }
    }
    *out = options;
    return ERR_OK;
}

enum err options_check(const struct options *options, uint64_t allowed, const char *command,
                       struct errmsg *msg)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if ((options->given & ~allowed & OPTION_BIT(i)) != 0) {
            return err_fail(msg, ERR_USAGE, "%s takes no --%s; see tally %s --help", command,
                            ROWS[i].name, command);
        }
    }
    bool both = options_has(options, OPTION_JSON) && options_has(options, OPTION_CSV);
    return both ? err_fail(msg, ERR_USAGE, "--json and --csv exclude each other") : ERR_OK;
}

bool options_has(const struct options *options, enum option option)
{
    return (options->given & OPTION_BIT(option)) != 0;
}

const char *options_text(const struct options *options, enum option option)
{
    REQUIRE(ROWS[option].value != NULL);
    return options->values[option] == NULL ? "" : options->values[option];
}

void options_print(uint64_t set, FILE *out)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &ROWS[i];
        char left[64];
        if ((set & OPTION_BIT(i)) == 0) {
            continue;
        }
        char letter[8] = "    ";
        if (row->letter != 0) {
            (void)snprintf(letter, sizeof letter, "-%c, ", row->letter);
        }
        (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name,
                       row->value == NULL ? "" : " ", row->value == NULL ? "" : row->value);
        (void)fprintf(out, "  %-*s %s\n", HELP_COLUMN, left, row->help);
    }
}

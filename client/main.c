/* tally: the client. A table of the commands; what they share is in client.c. */
#include "client/commands.h"

#define BIT(option) OPTION_BIT(OPTION_##option)

static const struct command COMMANDS[] = {
    {
        .name = "total",
        .usage = "[UNIT]",
        .summary = "rolled-up totals, and what is missing from them",
        .about =
            "Shows the totals of a unit and everything below it: of every measure and indicator "
            "of\n"
            "the catalogue, for this year, unless you name some. A dash is what nobody reported.\n"
            "\n"
            "Examples:\n"
            "  tally total                                 the node's own unit, this year\n"
            "  tally total 436 -p 2023H1 -m fund_raised,accounts\n"
            "  tally total -p 2023 --by child              a row for each child\n"
            "  tally total -p 2023 --by period --csv       month by month, for a spreadsheet\n"
            "  tally total -p 2022H1..2023H1               a row for each half-year\n"
            "  tally total -p 2023H1 --against year        and the change since 2022H1\n"
            "  tally total -m trainees --category sex=f    only of these\n"
            "  tally total -p 2023H1 --targets             and how far the year's targets are "
            "reached\n"
            "\n"
            "With --targets, REACHED is what has come together since the target's period began, "
            "up\n"
            "to the end of the period that is asked for; EXPECTED is what it would be by today "
            "(or\n"
            "by that end) on a straight line from where it stood when the target's period began.\n",
        .options = BIT(MEASURE) | BIT(PERIOD) | BIT(BY) | BIT(CATEGORY) | BIT(TREE_AS_OF) |
                   BIT(TARGETS) | BIT(AGAINST) | BIT(CSV),
        .words_max = 1,
        .run = cmd_total,
    },
    {
        .name = "missing",
        .usage = "[UNIT]",
        .summary = "who has not reported",
        .about =
            "Shows of every data set of the catalogue how many units are expected to report it, "
            "how\n"
            "many have, and which have not, with the measures that they lack; of measures "
            "instead, when\n"
            "some are named, or when there are no data sets. Without -p it is the last period "
            "that has\n"
            "ended. A reported zero is not missing; what was voided is. LAST EXACT says of an "
            "office\n"
            "that is not linked up to when it is known what it has.\n"
            "\n"
            "Examples:\n"
            "  tally missing\n"
            "  tally missing 436 -m fund_raised -p 2023-06\n"
            "  tally missing --csv > missing.csv\n",
        .options = BIT(MEASURE) | BIT(PERIOD) | BIT(CSV),
        .words_max = 1,
        .run = cmd_missing,
    },
    {
        .name = "report",
        .usage = "TEMPLATE [UNIT]",
        .summary = "a report from a template, with figures of one moment",
        .about =
            "Writes a template (text, Markdown or HTML; \"-\" is standard input) with its "
            "{{...}} filled\n"
            "in: figures of the unit for the period of -p, as the language writes numbers. What "
            "is wrong\n"
            "with it is told with its place, and nothing is printed then.\n"
            "\n"
            "  {{total CODE}} {{total CODE[group=cadre]}} {{name CODE}} {{counted_in CODE}}\n"
            "  {{before CODE}} {{change CODE}} {{change_percent CODE}} {{against CODE}}\n"
            "  {{target CODE}} {{reached CODE}} {{percent CODE}} {{expected_by_today CODE}}\n"
            "  {{entries CODE}} {{reported CODE}} {{expected CODE}} {{missing CODE}}\n"
            "  {{unit}} {{unit.name}} {{period}} {{today}} {{as_of}} {{nodes}} {{exact}} "
            "{{stale}}\n"
            "  {{held}} {{refused}} {{lost}}, and {{# remarks}}\n"
            "\n"
            "Behind CODE may stand unit=CODE period=PERIOD against=previous|year|PERIOD\n"
            "in=thousand|million|billion digits=N. Blocks end with {{end}}:\n"
            "\n"
            "  {{each child}} {{each level=LEVEL}} {{each period=A..B}} {{each missing CODE}}, "
            "with\n"
            "  {{lacks}}; {{if ...}} {{else}}: whether there is such a figure, or more than none\n"
            "\n"
            "Examples:\n"
            "  tally report half-year.vi.md -p 2023H1 --lang vi > report.md\n"
            "  echo '{{total fund_raised in=billion}}' | tally report - 436 -p 2023\n",
        .options = BIT(PERIOD) | BIT(LANG),
        .words_min = 1,
        .words_max = 2,
        .run = cmd_report,
    },
    {
        .name = "watch",
        .usage = "[UNIT]",
        .summary = "totals and links, live",
        .about =
            "Shows the totals of a unit and how fresh the offices below are, and shows them again "
            "as\n"
            "soon as anything changes; what changed is marked for ten seconds. Where the output is "
            "no\n"
            "terminal, or with --json, each figure is a line when it changes.\n"
            "\n"
            "Examples:\n"
            "  tally watch\n"
            "  tally watch 436 -p 2023H1 -m fund_raised,accounts\n"
            "  tally watch --json >> changes.ndjson\n",
        .options = BIT(MEASURE) | BIT(PERIOD),
        .words_max = 1,
        .run = cmd_watch,
    },
    {
        .name = "record",
        .usage = "UNIT MEASURE VALUE",
        .summary = "record one value; prints the entry's identity",
        .about = "Records one value of a measure for a unit and prints the identity of the entry, "
                 "which\n"
                 "amend and void take. Values have a decimal point and no thousands separators.\n"
                 "\n"
                 "Examples:\n"
                 "  tally record 18073 fund_raised 1500000 --date 2023-06-18\n"
                 "  tally record 18073 trainees 25 --category organiser=district --key course-7\n"
                 "  tally record 18073 fund_raised -50000 --note \"cheque returned\" --wait root\n",
        .options = BIT(DATE) | BIT(CATEGORY) | BIT(KEY) | BIT(NOTE) | BIT(WAIT) | BIT(TIMEOUT),
        .words_min = 3,
        .words_max = 3,
        .run = cmd_record,
    },
    {
        .name = "import",
        .usage = "FILE.csv",
        .summary = "record the rows of a file, all or nothing",
        .about =
            "Records the rows of a CSV file (UTF-8; \"-\" is standard input). Its first line names "
            "the\n"
            "columns, in any order: unit, measure, value, and if wanted date, category, key, "
            "note.\n"
            "All rows are recorded or none, unless --partial is given.\n"
            "\n"
            "Without the columns measure and value there is a column for each measure instead, "
            "like\n"
            "fund_raised or accounts[group=cadre]; an empty field there is no value.\n"
            "\n"
            "A row whose key was recorded before counts nothing twice. A file of more than 5,000 "
            "rows\n"
            "is sent in parts; its rows without a key get one made from the file's content and "
            "the\n"
            "line, so that after Ctrl-C or a lost connection the same command goes on where it\n"
            "stopped. (Give such rows a date: without one they are of the day on which they "
            "arrive.)\n"
            "A shorter file without keys counts again when it is imported again.\n"
            "\n"
            "Examples:\n"
            "  tally import june.csv --dry-run --errors wrong.csv\n"
            "  tally import june.csv --wait parent\n"
            "  printf 'unit,date,fund_raised,accounts\\n18073,2023-06-18,1500000,254\\n' | tally "
            "import -\n"
            "  printf 'unit,measure,value\\n18073,accounts,254\\n' | tally import -\n",
        .options = BIT(PARTIAL) | BIT(DRY_RUN) | BIT(ERRORS) | BIT(WAIT) | BIT(TIMEOUT),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_import,
    },
    {
        .name = "amend",
        .usage = "ENTRY VALUE",
        .summary = "correct an entry's value; prints the new entry's identity",
        .about = "Makes an entry count with another value. The first entry stays in the ledger; "
                 "the last\n"
                 "amendment of it counts.\n"
                 "\n"
                 "Example:\n"
                 "  tally amend 7hq2k9mzt4ab-153 1250000 --note \"typing mistake\"\n",
        .options = BIT(KEY) | BIT(NOTE),
        .words_min = 2,
        .words_max = 2,
        .run = cmd_amend,
    },
    {
        .name = "void",
        .usage = "ENTRY",
        .summary = "take an entry out of the totals for good",
        .about =
            "Makes an entry count no more. That is final; record a new one if it was a mistake.\n"
            "\n"
            "Example:\n"
            "  tally void 7hq2k9mzt4ab-153 --note \"recorded twice\"\n",
        .options = BIT(NOTE),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_void,
    },
    {
        .name = "log",
        .usage = "[UNIT]",
        .summary = "the entries recorded at this node",
        .about = "Lists the entries of this node's ledger in their order, those of one unit if it "
                 "is named.\n"
                 "Corrections name the entry that they refer to; what was voided is not live.\n"
                 "An entry of kind lost says what one figure came to with entries that no office "
                 "has any\n"
                 "more: it stands in the place of all of them.\n"
                 "With --healed: the entries that this machine had lost and has had back from the "
                 "office\n"
                 "above, and those that were typed while they were missing. Look for the same in "
                 "both, and\n"
                 "void one of the two.\n"
                 "-m, -p, --author and --kind choose from them; -p goes by the day that an entry "
                 "counts for,\n"
                 "and takes a range, like 2022H1..2023H1.\n"
                 "\n"
                 "Examples:\n"
                 "  tally log 18073\n"
                 "  tally log -m fund_raised -p 2023-06 --kind void\n"
                 "  tally log --healed\n"
                 "  tally log --csv > ledger.csv\n",
        .options = BIT(CSV) | BIT(HEALED) | BIT(MEASURE) | BIT(PERIOD) | BIT(AUTHOR) | BIT(KIND),
        .words_max = 1,
        .run = cmd_log,
    },
    {
        .name = "status",
        .usage = "",
        .summary = "this node: links, lag, held rows, alarms; exit 1 when unhealthy",
        .about =
            "Shows the node's identity, its link to the parent and what is not there yet, its\n"
            "children, held rows and alarms. Being offline is healthy; an alarm is not (exit 1).\n"
            "\n"
            "Example:\n"
            "  tally status --json\n",
        .run = cmd_status,
    },
    {
        .name = "tree",
        .usage = "",
        .summary = "the units, their nodes, and when each was last exact",
        .about =
            "Draws the units from this node's own down. NODE says how the node of a unit stands:\n"
            "never, offline, catching up, exact, refused or fenced; units without one have none.\n"
            "\n"
            "Example:\n"
            "  tally tree\n",
        .options = BIT(CSV),
        .run = cmd_tree,
    },
    {
        .name = "verify",
        .usage = "",
        .summary = "recompute everything and compare; exit 1 when something differs",
        .about = "Recomputes totals from cells, cells from the ledger, the ledger's chains, the "
                 "digests\n"
                 "with the parent, the escrow of the children and what is kept of units, and names "
                 "every\n"
                 "difference (exit 1).\n"
                 "\n"
                 "Example:\n"
                 "  tally verify --json\n",
        .run = cmd_verify,
    },
    {
        .name = "backup",
        .usage = "FILE",
        .summary = "copy the whole node into a file while it runs",
        .about = "Writes the database, keys and settings of the node into one file, as they are at "
                 "one moment;\n"
                 "recording and links go on. tallyd restore makes the node again from it. Whoever "
                 "has the file\n"
                 "can be this node: keep it as you keep the machine.\n"
                 "\n"
                 "Example:\n"
                 "  tally backup /media/usb/436-2026-11-26.backup\n",
        .words_min = 1,
        .words_max = 1,
        .run = cmd_backup,
    },
    {
        .name = "bundle write",
        .usage = "FILE [--to UNIT]",
        .summary = "what a link would carry, as a file for an office without a network",
        .about =
            "Writes what the office above does not have yet into a file, for a stick: entries and\n"
            "figures, signed by this node and encrypted for that office alone. Take it there and "
            "let\n"
            "tally bundle read take it in. With --to: the answer to a unit below, from which it "
            "learns\n"
            "what has arrived; with it come the catalogue and entries that its machine has lost.\n"
            "Bundles may be lost, come twice or in another order, and beside a network.\n"
            "\n"
            "Examples:\n"
            "  tally bundle write /media/usb/18073-2026-11-26.bundle\n"
            "  tally bundle write /media/usb/answer.bundle --to 18073\n",
        .options = BIT(TO) | BIT(WHOLE),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_bundle_write,
    },
    {
        .name = "bundle read",
        .usage = "FILE",
        .summary = "take in a file that another office wrote",
        .about = "Reads a bundle of a unit below, or an answer of the office above, and says what "
                 "came of\n"
                 "it. A file that was changed, is cut, or is for another office is refused whole.\n"
                 "\n"
                 "Example:\n"
                 "  tally bundle read /media/usb/18073-2026-11-26.bundle\n",
        .words_min = 1,
        .words_max = 1,
        .run = cmd_bundle_read,
    },
    {
        .name = "apply",
        .usage = "FILE.yaml",
        .summary = "set the catalogue (at the root); prints what changes",
        .about = "Reads a catalogue (levels, categories, measures, indicators, targets) and makes "
                 "it the\n"
                 "tree's. Works at the root only; the nodes below get it over their links.\n"
                 "\n"
                 "Example:\n"
                 "  tally apply catalog.yaml --dry-run\n",
        .options = BIT(DRY_RUN),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_apply,
    },
    {
        .name = "unit add",
        .usage = "[CODE] --name NAME --level LEVEL [--parent UNIT]",
        .summary = "make a unit that this node hosts",
        .about = "Makes a unit below this node's own one (or below --parent) without a node of its "
                 "own.\n"
                 "\n"
                 "With --pattern instead of CODE the unit gets the next code of that pattern: "
                 "{parent} stands for\n"
                 "the code above, ## for a number of two digits. A unit with that name and level "
                 "under that\n"
                 "parent that has such a code is there already.\n"
                 "\n"
                 "Examples:\n"
                 "  tally unit add 18073 --name \"Phường Bắc Hồng\" --level commune\n"
                 "  tally unit add --pattern '{parent}.##' --name \"Chi hội 1\" --level branch "
                 "--parent 18073\n",
        .options = BIT(NAME) | BIT(LEVEL) | BIT(PARENT) | BIT(PATTERN),
        .words_max = 1,
        .run = cmd_unit_add,
    },
    {
        .name = "unit import",
        .usage = "FILE.csv",
        .summary = "make the units of a file, all or nothing",
        .about = "Makes the units of a CSV file with the columns code, name, level, parent (\"-\" "
                 "is standard\n"
                 "input). Parents may come after their children; without a parent a unit lies "
                 "below the\n"
                 "node's own one. With --pattern units without a code get one (see tally unit add "
                 "--help);\n"
                 "--json lists which.\n"
                 "\n"
                 "Examples:\n"
                 "  tally unit import units.csv\n"
                 "  tally unit import branches.csv --pattern '{parent}.##' --json\n",
        .options = BIT(PATTERN),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_unit_import,
    },
    {
        .name = "unit list",
        .usage = "[WORD...]",
        .summary = "the units at and below this node",
        .about = "Lists the units, or those that have all the words in code or name; capitals and "
                 "diacritics\n"
                 "do not count. With --csv the columns are those that tally unit import reads.\n"
                 "\n"
                 "Examples:\n"
                 "  tally unit list ha tinh\n"
                 "  tally unit list --csv > units.csv\n",
        .options = BIT(CSV),
        .words_max = OPTIONS_WORDS_MAX - 2,
        .run = cmd_unit_list,
    },
    {
        .name = "invite",
        .usage = "UNIT",
        .summary = "print a token with which a node joins below this one",
        .about =
            "Prints one line that the administrator of the new node gives to tallyd join: it holds "
            "a\n"
            "secret, works once, and expires. For a unit that is not there yet, give --name and\n"
            "--level. --replace is for a node whose disk is lost: it joins again as the same "
            "origin.\n"
            "\n"
            "Examples:\n"
            "  tally invite 436 --name \"Thành phố Hà Tĩnh\" --level district --expires 7d\n"
            "  tallyd join --data /var/lib/tally/436 \"$(tally invite 436 --node root:7800 --data "
            ".)\"\n",
        .options = BIT(NAME) | BIT(LEVEL) | BIT(EXPIRES) | BIT(REPLACE),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_invite,
    },
    {
        .name = "reissue",
        .usage = "UNIT",
        .summary = "end that two machines have the data of one unit",
        .about =
            "Prints a token for one of the two machines. On that one, stop tallyd, give the token "
            "to\n"
            "tallyd join with the directory that it has, and start it again: it gets a new "
            "identity,\n"
            "what was recorded on it comes up and what it lacks comes back, each fact once. The "
            "other\n"
            "one is turned away from then on and keeps its data; when something was recorded on "
            "it\n"
            "that never came up, reissue once more and let that one join: it then goes on with "
            "all.\n"
            "\n"
            "Example:\n"
            "  tally reissue 43605\n",
        .options = BIT(EXPIRES),
        .words_min = 1,
        .words_max = 1,
        .run = cmd_reissue,
    },
};

int main(int argc, char *argv[])
{
    return (int)client_main(argc, argv, COMMANDS, sizeof COMMANDS / sizeof *COMMANDS);
}

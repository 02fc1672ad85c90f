/* layer: client */
/* From "recorded" at one node to visible in a total at another.
 *
 *     bench_latency COUNT FROM_DATA TO_DATA UNIT MEASURE DATE TO_UNIT
 *
 * Two connections over local sockets. COUNT times: one entry of value 1 is recorded at FROM, whose
 * answer (the entry is committed) starts the clock; the total of TO_UNIT is asked at TO again and
 * again until it has the entry, whose answer stops it. A pause before each entry lets the links
 * come to rest. The time is too long by what one question takes and by the nap between two; both
 * are part of the result. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"

enum { ARGS = 8, NAP_US = 200, PAUSE_US = 30000, PAUSE_SPREAD_US = 20000, LIMIT_US = 20000000 };

struct question {
    const char *unit;
    const char *measure;
    struct period period;
};

static int64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void nap(int64_t us)
{
    struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000};
    (void)nanosleep(&time, NULL);
}

static enum err on_total(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    int64_t *value = context;
    const struct rep_total *total = &reply->u.total;
    if (total->row_count != 1) {
        return err_fail(msg, ERR_PROTOCOL, "one row of totals expected");
    }
    *value = (int64_t)total->rows[0].value;
    return ERR_OK;
}

static enum err ask_total(struct client *to, const struct question *question, int64_t *value,
                          struct errmsg *msg)
{
    const char *measures[] = {question->measure};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = question->unit,
                                              .measures = measures,
                                              .measure_count = 1,
                                              .has_period = true,
                                              .period = question->period,
                                              .level = "",
                                              .tree_as_of = DAY_NONE}};
    struct asking asking = {.on_reply = on_total, .context = value};
    return client_ask(to, &request, &asking, msg);
}

static enum err on_recorded(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    (void)context;
    return reply->u.recorded.recorded == 1 ? ERR_OK : err_fail(msg, ERR_REFUSED, "not recorded");
}

static enum err record(struct client *from, const struct record_row *row, struct errmsg *msg)
{
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = row, .row_count = 1}};
    struct asking asking = {.on_reply = on_recorded};
    return client_ask(from, &request, &asking, msg);
}

/* Waits until the total is `wanted`; how often it asked. */
static enum err await(struct client *to, const struct question *question, int64_t wanted,
                      int64_t *asked, struct errmsg *msg)
{
    int64_t end = now_us() + LIMIT_US;
    int64_t value = 0;
    for (;;) {
        TRY(ask_total(to, question, &value, msg));
        (*asked)++;
        if (value == wanted) {
            return ERR_OK;
        }
        if (value > wanted || now_us() > end) {
            return err_fail(msg, ERR_TIMEOUT, "the total is %" PRId64 ", not %" PRId64, value,
                            wanted);
        }
        nap(NAP_US);
    }
}

static enum err question_cost(struct client *to, const struct question *question, int64_t *out_us,
                              struct errmsg *msg)
{
    enum { TIMES = 100 };
    int64_t value;
    int64_t began = now_us();
    for (int i = 0; i < TIMES; i++) {
        TRY(ask_total(to, question, &value, msg));
    }
    *out_us = (now_us() - began) / TIMES;
    return ERR_OK;
}

static enum err measure(struct client *from, struct client *to, const struct record_row *row,
                        const struct question *question, int count, struct errmsg *msg)
{
    int64_t value;
    int64_t question_us;
    int64_t asked = 0;
    TRY(ask_total(to, question, &value, msg));
    TRY(question_cost(to, question, &question_us, msg));
    (void)printf("{\"samples\":[");
    for (int i = 0; i < count; i++) {
        nap(PAUSE_US + (int64_t)i * 7919 % PAUSE_SPREAD_US);
        int64_t sent = now_us();
        TRY(record(from, row, msg));
        int64_t committed = now_us();
        TRY(await(to, question, ++value, &asked, msg));
        (void)printf("%s[%" PRId64 ",%" PRId64 "]", i == 0 ? "" : ",", committed - sent,
                     now_us() - committed);
    }
    (void)printf("],\"question_us\":%" PRId64 ",\"nap_us\":%d,\"questions\":%" PRId64 "}\n",
                 question_us, NAP_US, asked);
    return ERR_OK;
}

static void client_to(struct client *client, const char *data)
{
    *client = (struct client){.command = NULL};
    client->options.given = OPTION_BIT(OPTION_DATA);
    client->options.values[OPTION_DATA] = data;
}

int main(int argc, char *argv[])
{
    static struct client from;
    static struct client to;
    struct errmsg msg = {""};
    int32_t day;
    if (argc != ARGS) {
        (void)fprintf(stderr, "usage: bench_latency COUNT FROM_DATA TO_DATA UNIT MEASURE DATE "
                              "TO_UNIT\n");
        return 2;
    }
    client_to(&from, argv[2]);
    client_to(&to, argv[3]);
    enum err err = day_parse(argv[6], &day, &msg);
    struct record_row row = {.unit = argv[4],
                             .measure = argv[5],
                             .day = day,
                             .category = "",
                             .value = "1",
                             .key = "",
                             .note = ""};
    struct question question = {.unit = argv[7], .measure = argv[5]};
    question.period = err == ERR_OK ? period_of_day(FREQUENCY_MONTH, day) : question.period;
    int count = (int)strtol(argv[1], NULL, 10);
    err = err == ERR_OK ? measure(&from, &to, &row, &question, count, &msg) : err;
    connection_close(from.connection);
    connection_close(to.connection);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "bench_latency: %s: %s\n", err_name(err), msg.text);
        return 1;
    }
    return 0;
}

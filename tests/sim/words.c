#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct words {
    char *out;
    size_t at;
};

static void say(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *w, const char *fmt, ...)
{
    va_list args;
    if (w->at >= WORDS_BYTES - 1) {
        return;
    }
    va_start(args, fmt);
    int n = vsnprintf(w->out + w->at, WORDS_BYTES - w->at, fmt, args);
    va_end(args);
    w->at += n > 0 ? (size_t)n : 0;
    if (w->at >= WORDS_BYTES - 1) {
        memcpy(w->out + WORDS_BYTES - 4, "...", 4);
    }
}

static void say_heads(struct words *w, const char *what, const struct head *heads, size_t count)
{
    if (count > 0) {
        say(w, " %s=", what);
    }
    for (size_t i = 0; i < count; i++) {
        say(w, "%s%llu", i > 0 ? "," : "", (unsigned long long)heads[i].length);
    }
}

static void say_hello(struct words *w, const struct msg_hello *m)
{
    say(w, "hello sessions=%zu catalogue=%llu remembered=%lld have=%lld", m->session_count,
        (unsigned long long)m->catalogue_version, (long long)m->remembered.revision,
        (long long)m->have.revision);
    say_heads(w, "heads", m->heads, m->head_count);
}

static void say_welcome(struct words *w, const struct msg_welcome *m)
{
    say(w, "welcome unit=%s catalogue=%llu have=%lld", m->unit,
        (unsigned long long)m->catalogue_version, (long long)m->have.revision);
    say_heads(w, "escrow", m->escrow, m->escrow_count);
    say(w, " known=%zu at-root=%lld", m->known_count, (long long)m->root_revision);
    if (m->heal) {
        say(w, " heal=%lld", (long long)m->heal_entries);
    }
}

static void say_places(struct words *w, const struct msg_batch *m)
{
    for (size_t i = 0; i < m->unit_count; i++) {
        say(w, " unit %s", m->units[i].code);
    }
    for (size_t i = 0; i < m->hosting_count; i++) {
        say(w, " host %s#%lld", m->hostings[i].unit, (long long)m->hostings[i].number);
    }
    for (size_t i = 0; i < m->status_count; i++) {
        say(w, " status %s=%s", m->statuses[i].unit, link_state_name(m->statuses[i].state));
    }
}

static void say_key(struct words *w, const struct cell_key *key)
{
    say(w, " %s/%s%s%s@%d", key->unit, key->measure, key->category[0] != '\0' ? "/" : "",
        key->category, (int)key->period);
}

static void say_ask(struct words *w, const char *what, const struct range_ask *ask)
{
    say(w, " %s by %u", what, (unsigned)ask->grain);
    if (ask->after.unit[0] != '\0') {
        say(w, " after");
        say_key(w, &ask->after);
    }
    if (!ask->to_end) {
        say(w, " up to");
        say_key(w, &ask->upto);
    }
    say(w, ":");
}

static void say_batch(struct words *w, const struct msg_batch *m)
{
    static const char *const KINDS[] = {"", "record", "amend", "void", "act", "lost"};
    say(w, "batch upto=%lld%s%s%s", (long long)m->upto.revision, m->returned ? " returned" : "",
        m->returned_first ? " first" : "", m->returned_last ? " last" : "");
    say_places(w, m);
    for (size_t i = 0; i < m->opening_count; i++) {
        say(w, " opening");
    }
    if (m->signed_heads_count > 0) {
        say(w, " signed=%zu", m->signed_heads_count);
    }
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct entry *e = &m->entries[i];
        say(w, " entry %llu:%s", (unsigned long long)e->seq, KINDS[e->kind]);
    }
    for (size_t i = 0; i < m->heads_count; i++) {
        say_heads(w, "heads", m->heads[i].heads, m->heads[i].head_count);
    }
    for (size_t i = 0; i < m->cell_count; i++) {
        const struct cell *c = &m->cells[i];
        say(w, " cell %s/%s%s%s=%lld#%lld", c->unit, c->measure, c->category[0] != '\0' ? "/" : "",
            c->category, (long long)c->value, (long long)c->count);
    }
    if (m->mark) {
        say(w, " mark digests=%zu", m->digest_count);
    }
    for (size_t i = 0; i < m->range_count; i++) {
        say_ask(w, "sums", &m->ranges[i].asked);
        for (size_t s = 0; s < m->ranges[i].sum_count; s++) {
            say_key(w, &m->ranges[i].sums[s].last);
        }
        say(w, "%s", m->ranges[i].end ? " end" : "");
    }
}

static void say_ack(struct words *w, const struct msg_ack *m)
{
    say(w, "ack upto=%lld", (long long)m->upto.revision);
    say_heads(w, "escrow", m->escrow, m->escrow_count);
    if (m->held > 0) {
        say(w, " held=%lld", (long long)m->held);
    }
    for (size_t i = 0; i < m->refused_count; i++) {
        const struct refused_row *r = &m->refused[i];
        say(w, " refused %s/%s (%s)", r->unit, r->measure, refuse_reason_text(r->reason));
    }
    if (m->unequal_count > 0) {
        say(w, " unequal=%zu", m->unequal_count);
    }
    for (size_t i = 0; i < m->compare_count; i++) {
        say_ask(w, "compare", &m->compare[i]);
    }
    for (size_t i = 0; i < m->again_count; i++) {
        say(w, " again");
        say_key(w, &m->again[i]);
    }
    say(w, " at-root=%lld%s%s", (long long)m->root_revision, m->unasked ? " unasked" : "",
        m->differs ? " differs" : "");
}

void words_message(const struct message *message, char out[WORDS_BYTES])
{
    struct words w = {.out = out};
    out[0] = '\0';
    switch (message->type) {
    case MESSAGE_HELLO:
        say_hello(&w, &message->u.hello);
        break;
    case MESSAGE_WELCOME:
        say_welcome(&w, &message->u.welcome);
        break;
    case MESSAGE_REFUSE:
        say(&w, "refuse %d: %s", (int)message->u.refuse.code, message->u.refuse.text);
        break;
    case MESSAGE_BATCH:
        say_batch(&w, &message->u.batch);
        break;
    case MESSAGE_ACK:
        say_ack(&w, &message->u.ack);
        break;
    case MESSAGE_CATALOGUE:
        say(&w, "catalogue %llu", (unsigned long long)message->u.catalogue.version);
        break;
    case MESSAGE_PING:
        say(&w, "ping%s%s upto=%lld at-root=%lld", message->u.ping.answer ? " answer" : "",
            message->u.ping.at_head ? " at-head" : "", (long long)message->u.ping.upto.revision,
            (long long)message->u.ping.root_revision);
        break;
    case MESSAGE_JOIN:
    case MESSAGE_JOINED:
    case MESSAGE_REQUEST:
    case MESSAGE_REPLY:
    case MESSAGE_BUNDLE:
    case MESSAGE_TYPE_COUNT:
        say(&w, "%s", message_name(message->type));
        break;
    }
}

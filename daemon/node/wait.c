/* Clients that wait until what they recorded is at the parent, or at the root, or for news: looked
 * at after every batch, answered when it is there or when their time is over. */
#include <stdlib.h>

#include "node/internal.h"

static bool reached(const struct node *node, const struct waiter *waiter)
{
    if (waiter->level == WAIT_NEWS) {
        return node->head != waiter->revision; /* less: the file is another one */
    }
    if (node->identity.is_root) {
        return true;
    }
    int64_t have = waiter->level == WAIT_ROOT ? node->root_revision : node->acked.revision;
    return have >= waiter->revision && node->entries_acked >= waiter->entries;
}

static void answer(struct node *node, const struct waiter *waiter, enum err err, const char *text)
{
    struct node_client client = {.id = waiter->client};
    struct msg_request msg = {.id = waiter->request, .type = REQUEST_WAIT};
    struct request request = {&client, &msg};
    if (err == ERR_OK) {
        struct msg_reply *reply = request_reply(node, &request);
        if (reply != NULL) {
            reply->u.recorded.revision = node->head;
        }
    } else {
        request_refuse(node, &request, err, "%s", text);
    }
}

void wait_request(struct node *node, const struct request *request)
{
    const struct req_wait *wait = &request->msg->u.wait;
    if (node->waiter_count == WAITERS_MAX) {
        request_refuse(node, request, ERR_BUSY, "too many clients wait already; try again");
        return;
    }
    struct waiter *waiters = realloc(node->waiters, (node->waiter_count + 1) * sizeof *waiters);
    if (waiters == NULL) {
        request_refuse(node, request, ERR_NO_MEMORY, "no memory");
        return;
    }
    node->waiters = waiters;
    int64_t timeout = wait->timeout_ms < 0        ? 0
                      : wait->timeout_ms > DAY_MS ? DAY_MS
                                                  : wait->timeout_ms;
    waiters[node->waiter_count++] = (struct waiter){
        .client = request->client->id,
        .request = request->msg->id,
        .level = wait->level,
        .revision = wait->level == WAIT_NEWS ? wait->revision
                    : wait->revision > 0 && wait->revision <= node->head
                        ? revision_to_wait_for(node, wait->revision)
                        : INT64_MAX,
        .entries = node->ledger_length,
        .deadline = {node->now.mono.ms + timeout},
        .fresh = true,
    };
}

void waiters_wake(struct node *node)
{
    for (size_t i = 0; i < node->waiter_count; i++) {
        struct waiter *waiter = &node->waiters[i];
        bool all = waiter->revision == INT64_MAX && waiter->level != WAIT_NEWS;
        waiter->revision = all ? node->head : waiter->revision;
        /* What was lost here goes up anew when it has been made again. */
        bool again = waiter->level == WAIT_ROOT && node->differs_above;
        waiter->revision = again ? node->head : waiter->revision;
        bool late = node->now.mono.ms >= waiter->deadline.ms;
        bool there = !again && reached(node, waiter);
        waiter->answered = there || late;
        if (there || (late && waiter->level == WAIT_NEWS)) {
            answer(node, waiter, ERR_OK, "");
        } else if (late) {
            answer(node, waiter, ERR_TIMEOUT,
                   waiter->level == WAIT_ROOT ? "not known to be at the root in that time; the "
                                                "entry is kept and goes up when it can"
                                              : "not known to be at the parent in that time; the "
                                                "entry is kept and goes up when it can");
        }
    }
}

void waiters_settle(struct node *node, bool committed)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->waiter_count; i++) {
        struct waiter waiter = node->waiters[i];
        if (committed ? !waiter.answered : !waiter.fresh) {
            waiter.fresh = false;
            waiter.answered = false;
            node->waiters[kept++] = waiter;
        }
    }
    node->waiter_count = kept;
}

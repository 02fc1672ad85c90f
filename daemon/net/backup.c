/* A backup for a client, one at a time.
 *
 * 1. The node's file is copied in slices between batches, a timer apart, so that links and
 * recording go on.
 * 2. The copy goes out in parts, as far as the client's connection has room. While it is copied the
 * client hears how far it is, once a second.
 *
 * Ends: all was sent; the client is gone or takes nothing for too long; something failed, which is
 * said. */
#include <inttypes.h>

#include "base/log.h"
#include "net/server_internal.h"

enum { SLICE_MS = 1, SAY_MS = 1000, SENT_MAX_BYTES = 2 * BACKUP_PART_BYTES };

static void end(struct server *server)
{
    (void)uv_timer_stop(&server->backup.timer);
    server->config.backup_end(server->config.ctx);
    server->backup.running = false;
}

static void answer(struct server *server, enum err err, const char *text)
{
    struct peer *peer = peers_get(server, server->backup.peer);
    end(server);
    log_line(err == ERR_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "backup=%s bytes=%" PRId64 "%s%s%s",
             err == ERR_OK ? "given" : "failed", server->backup.at,
             text[0] == '\0' ? "" : " text=\"", text, text[0] == '\0' ? "" : "\"");
    if (peer == NULL) {
        return;
    }
    struct message message = {.type = MESSAGE_REPLY};
    message.u.reply = (struct msg_reply){
        .id = server->backup.request, .type = REQUEST_BACKUP, .err = err, .text = text};
    message.u.reply.u.backup.size = server->backup.size;
    message.u.reply.u.backup.at = server->backup.at;
    enum err sent = conn_send(peer->conn, &message); /* a failure has closed the connection */
    if (sent == ERR_OK) {
        peers_answered(peer);
    }
}

static enum err say(struct server *server, struct peer *peer, struct bytes content)
{
    struct message message = {.type = MESSAGE_REPLY};
    message.u.reply = (struct msg_reply){
        .id = server->backup.request, .type = REQUEST_BACKUP, .text = "", .more = true};
    message.u.reply.u.backup = (struct rep_backup){
        .at = server->backup.at, .size = server->backup.size, .content = content};
    server->backup.said_at = uv_now(&server->loop);
    return conn_send(peer->conn, &message);
}

static enum err copy(struct server *server, struct peer *peer, struct errmsg *msg)
{
    struct backup_job *job = &server->backup;
    TRY(server->config.backup_step(server->config.ctx, &job->made, &job->at, &job->size, msg));
    if (job->made) {
        job->at = 0;
    }
    bool due = uv_now(&server->loop) - job->said_at >= SAY_MS;
    return due && !job->made ? say(server, peer, (struct bytes){NULL, 0}) : ERR_OK;
}

/* *over behind the last part. */
static enum err give(struct server *server, struct peer *peer, bool *over, struct errmsg *msg)
{
    struct backup_job *job = &server->backup;
    while (peer->conn->out_bytes < SENT_MAX_BYTES) {
        struct bytes part;
        TRY(server->config.backup_read(server->config.ctx, job->at, &part, &job->size, msg));
        *over = part.len == 0;
        if (*over) {
            return ERR_OK;
        }
        TRY(say(server, peer, part));
        job->at += (int64_t)part.len;
    }
    return uv_now(&server->loop) - job->said_at < REPLY_PATIENCE_MS
               ? ERR_OK
               : err_fail(msg, ERR_TIMEOUT, "the client takes nothing");
}

static void on_slice(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct peer *peer = peers_get(server, server->backup.peer);
    struct errmsg why = {{0}};
    bool over = false;
    if (peer == NULL || server->stopping) {
        answer(server, ERR_CLOSED, "the client is gone, or the process stops");
        return;
    }
    enum err err = server->backup.made ? give(server, peer, &over, &why) : copy(server, peer, &why);
    if (err == ERR_CLOSED) {
        answer(server, ERR_CLOSED, "the client is gone");
    } else if (err != ERR_OK || over) {
        answer(server, err, why.text);
    }
}

void backup_ask(struct server *server, struct peer *peer, const struct msg_request *request)
{
    struct errmsg why = {{0}};
    enum err err = ERR_OK;
    if (peer->role < NODE_ROLE_ADMIN) {
        err = err_fail(&why, ERR_REFUSED,
                       "a backup has the node's keys in it, so this needs the role admin: be root "
                       "or the user that runs tallyd, or show an admin certificate (--node)");
    } else if (server->backup.running || server->stopping) {
        err = err_fail(&why, ERR_BUSY, "another backup is under way; try again when it is done");
    } else {
        err = server->config.backup_begin(server->config.ctx, &why);
    }
    if (err != ERR_OK) {
        peers_refuse(peer, request, err, why.text);
        return;
    }
    server->backup.running = true;
    server->backup.made = false;
    server->backup.peer = peer->id;
    server->backup.request = request->id;
    server->backup.at = server->backup.size = 0;
    server->backup.said_at = uv_now(&server->loop);
    log_line(LOG_LEVEL_INFO, "backup=begins peer=%s", peer->address);
    (void)uv_timer_start(&server->backup.timer, on_slice, SLICE_MS, SLICE_MS);
}

void backup_init_job(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->backup.timer);
    server->backup.timer.data = server;
}

void backup_stop(struct server *server)
{
    if (server->backup.running) {
        answer(server, ERR_CLOSED, "the process stops");
    }
}

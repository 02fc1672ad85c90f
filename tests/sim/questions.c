/* Questions of people to a host's reader. Mostly they meet no faults, so that what they show is
 * what is there; in a world where they do, an answer is right or an error. */
#include <stdlib.h>

#include "world.h"

struct answer {
    struct host *host;
    query_sink_fn sink;
    void *ctx;
};

/* An answer as a client gets it. */
static bool over_the_wire(const struct answer *answer, const struct message *message)
{
    struct codec *codec = codec_new(false);
    struct errmsg msg = {{0}};
    struct message read;
    struct arena arena;
    struct buf wire;
    if (codec == NULL) {
        abort();
    }
    arena_init(&arena, 8 << 20);
    buf_init(&wire, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    enum err err = codec_encode(codec, message, &wire, &msg);
    struct bytes body = {wire.data + FRAME_HEADER_BYTES, wire.len - FRAME_HEADER_BYTES};
    err = err == ERR_OK ? codec_decode(codec, body, &arena, &read, &msg) : err;
    bool more = err == ERR_OK && answer->sink(answer->ctx, &read);
    if (err != ERR_OK) {
        world_violate(answer->host->world, "wire", "an answer of %s: %s", answer->host->code,
                      msg.text);
    }
    buf_deinit(&wire);
    arena_reset(&arena);
    codec_free(codec);
    return more;
}

static bool give_answer(void *ctx, const struct message *message)
{
    const struct answer *answer = ctx;
    const struct world *world = answer->host->world;
    host_inside = false;
    bool more =
        world->in_bytes ? over_the_wire(answer, message) : answer->sink(answer->ctx, message);
    host_inside = world->hard_questions;
    return more;
}

static enum err open_reader(struct host *host)
{
    char path[DISK_PATH_BYTES];
    enum err err =
        store_open(disk_path(host->disk, HOST_DATABASE, path), STORE_READ, &host->reader, NULL);
    if (err != ERR_OK) {
        return err;
    }
    host->query = query_new(host->reader);
    if (host->query == NULL) {
        store_close(host->reader);
        host->reader = NULL;
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

enum err host_query(struct world *world, struct host *host, const struct msg_request *request,
                    query_sink_fn sink, void *ctx)
{
    struct answer answer = {host, sink, ctx};
    disk_pause(host->disk, !world->hard_questions);
    host_inside = world->hard_questions;
    enum err err = host->query == NULL ? open_reader(host) : ERR_OK;
    if (err == ERR_OK) {
        query_set_behind(host->query, host->node != NULL && node_is_behind(host->node));
        query_run(host->query, request, host_now(world, host), give_answer, &answer);
    }
    host_inside = false;
    disk_pause(host->disk, false);
    return err;
}

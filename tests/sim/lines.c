/* The network between hosts.
 *
 * 1. A host without a link dials its parent; after the latency both nodes are told of the new
 * connection.
 * 2. A message takes its length over the bandwidth, then the latency, and never overtakes another
 * of its connection.
 * 3. It arrives, waits for the node's next batch, and is given to the node.
 *
 * What goes wrong: a connection breaks, with what is on its way; the parent's end may not hear of
 * it (half open) until its silence limit. Nothing arrives at one end or at both for a while. No
 * connection can be made. A message comes twice, or an older batch comes again. */
#include <stdlib.h>

#include "clones.h"
#include "copy.h"
#include "words.h"
#include "world.h"

enum { DIAL_EVERY_MS = 1500, PACKET_ARENA_BYTES = 32 << 20 };

/* ---- lines ---- */

struct line *line_find(struct world *world, uint64_t id)
{
    struct line **slot = map_get(&world->lines, &id);
    return slot == NULL ? NULL : *slot;
}

int line_end(const struct line *line, const struct host *host)
{
    return line->end[CHILD_END] == host ? CHILD_END : PARENT_END;
}

void line_packet_free(struct packet *packet)
{
    if (packet != NULL) {
        arena_reset(&packet->arena);
        free(packet->bytes);
        free(packet);
    }
}

static void lose_packets(struct line *line, int end)
{
    while (line->first[end] != NULL) {
        struct packet *next = line->first[end]->next;
        line_packet_free(line->first[end]);
        line->first[end] = next;
    }
    line->last[end] = &line->first[end];
    line->packets[end] = 0;
}

static void line_free(struct line *line)
{
    for (int end = 0; end < 2; end++) {
        lose_packets(line, end);
        line_packet_free(line->kept[end][0]);
        line_packet_free(line->kept[end][1]);
        codec_free(line->codec[end]);
        frames_free(line->frames[end]);
    }
    map_deinit(&line->covered);
    free(line);
}

void lines_free(struct world *world)
{
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&world->lines, &at, &key, &value)) {
        line_free(*(struct line **)value);
    }
    map_clear(&world->lines);
}

static void drop_if_over(struct world *world, struct line *line)
{
    if (line->over[CHILD_END] && line->over[PARENT_END]) {
        uint64_t id = line->id;
        map_remove(&world->lines, &id);
        line_free(line);
    }
}

struct line *line_open(struct world *world, struct host *child)
{
    struct line *line = calloc(1, sizeof *line);
    uint64_t id = ++world->next_line;
    struct line **slot = map_put(&world->lines, &id, NULL);
    if (line == NULL || slot == NULL) {
        abort();
    }
    *slot = line;
    line->id = id;
    map_init(&line->covered, ID_BYTES, sizeof(int64_t));
    line->end[CHILD_END] = child;
    line->end[PARENT_END] = child->parent;
    for (int end = 0; end < 2; end++) {
        line->last[end] = &line->first[end];
        if (world->in_bytes) {
            line->codec[end] = codec_new(true);
            line->frames[end] = frames_new();
            frames_set_limit(line->frames[end], FRAME_MAX_BYTES);
        }
    }
    child->up = line;
    return line;
}

/* ---- an end goes ---- */

/* The node at this end hears that the link is down, if it heard that it was up. */
static void end_down(struct world *world, struct line *line, int end)
{
    struct host *host = line->end[end];
    if (line->gone[end]) {
        return;
    }
    line->gone[end] = true;
    lose_packets(line, end);
    if (host->state == HOST_UP && line->told[end]) {
        host_give(world, host, (struct item){.kind = ITEM_LINK_DOWN, .line = line->id});
    } else {
        line->over[end] = true;
    }
    if (end == CHILD_END && host->up == line) {
        host->up = NULL;
        host_dial_later(world, host, chance_between(&host->chance, 200, DIAL_EVERY_MS) * MS_US);
    }
}

void line_break(struct world *world, struct line *line, bool silent)
{
    end_down(world, line, CHILD_END);
    lose_packets(line, PARENT_END);
    if (!silent) {
        end_down(world, line, PARENT_END);
    }
    drop_if_over(world, line);
}

static void append(struct world *world, struct line *line, int to, struct packet *packet)
{
    struct host *child = line->end[CHILD_END];
    const struct route *route = &child->route;
    int64_t start = line->end[1 - to]->busy_until_us; /* said when the disk has it */
    start = start > world->now_us ? start : world->now_us;
    start = start > line->free_at_us[to] ? start : line->free_at_us[to];
    if (route->bytes_per_s > 0) {
        start += (int64_t)packet->len * SECOND_US / route->bytes_per_s;
    }
    line->free_at_us[to] = start;
    packet->due_us = start + route->latency_us;
    *line->last[to] = packet;
    line->last[to] = &packet->next;
    if (line->packets[to]++ == 0) {
        world_event(world, packet->due_us, EVENT_ARRIVE, NULL, line->id * 2 + (uint64_t)to);
    }
    if (line->packets[to] > LINE_PACKETS_MAX) {
        world_violate(world, "bounded", "%zu messages wait on the way from %s to %s",
                      line->packets[to], line->end[1 - to]->code, line->end[to]->code);
    }
}

static struct packet *packet_new(void)
{
    struct packet *packet = calloc(1, sizeof *packet);
    if (packet == NULL) {
        abort();
    }
    arena_init(&packet->arena, PACKET_ARENA_BYTES);
    return packet;
}

void line_send(struct world *world, struct line *line, int to, const struct message *said)
{
    struct packet *packet;
    struct errmsg msg = {{0}};
    struct message changed = *said;
    const struct message *message = &changed;
    enum err err;
    world->messages++;
    if (line->gone[to] || (world->tap != NULL && !world->tap(world, line, to, &changed))) {
        return;
    }
    packet = packet_new();
    if (world->in_bytes) {
        struct buf wire;
        buf_init(&wire, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
        err = codec_encode(line->codec[1 - to], message, &wire, &msg);
        packet->bytes = wire.data;
        packet->len = wire.len;
    } else {
        err = copy_message(message, &packet->arena, &packet->message);
        packet->len = copy_size(message);
    }
    if (err != ERR_OK) {
        world_violate(world, "wire", "%s cannot say %s: %s %s", line->end[1 - to]->code,
                      message_name(message->type), err_name(err), msg.text);
        line_packet_free(packet);
        return;
    }
    append(world, line, to, packet);
}

void line_close(struct world *world, struct line *line, int end)
{
    if (!line->gone[1 - end]) {
        struct packet *packet = packet_new();
        packet->hang_up = true;
        append(world, line, 1 - end, packet);
    }
    end_down(world, line, end);
    drop_if_over(world, line);
}

void line_end_died(struct world *world, struct line *line, int end, bool silent)
{
    line->told[end] = false;
    end_down(world, line, end);
    line->over[end] = true;
    if (!silent && !line->gone[1 - end]) {
        struct packet *packet = packet_new();
        packet->hang_up = true;
        append(world, line, 1 - end, packet);
    }
    drop_if_over(world, line);
}

void line_over(struct world *world, struct line *line, int end)
{
    line->over[end] = true;
    drop_if_over(world, line);
}

/* ---- arrival ---- */

void line_arrive(struct world *world, uint64_t number)
{
    struct line *line = line_find(world, number / 2);
    int end = (int)(number % 2);
    struct packet *packet = line == NULL ? NULL : line->first[end];
    if (packet == NULL) {
        return;
    }
    int64_t blocked = line->end[CHILD_END]->route.blocked_until_us[end];
    int64_t due = packet->due_us > blocked ? packet->due_us : blocked;
    if (due > world->now_us) {
        world_event(world, due, EVENT_ARRIVE, NULL, number);
        return;
    }
    line->first[end] = packet->next;
    packet->next = NULL;
    line->packets[end]--;
    if (line->first[end] == NULL) {
        line->last[end] = &line->first[end];
    } else {
        world_event(world, line->first[end]->due_us, EVENT_ARRIVE, NULL, number);
    }
    if (packet->hang_up) {
        line_packet_free(packet);
        end_down(world, line, end);
        drop_if_over(world, line);
        return;
    }
    host_give(world, line->end[end],
              (struct item){.kind = ITEM_MESSAGE, .line = line->id, .packet = packet});
}

void lines_go_on(struct world *world)
{
    for (uint64_t id = 1; id <= world->next_line; id++) {
        for (uint64_t end = 0; end < 2 && line_find(world, id) != NULL; end++) {
            world_event(world, world->now_us, EVENT_ARRIVE, NULL, id * 2 + end);
        }
    }
}

/* Bytes into a message, in pieces as a stream gives them. */
static bool take_bytes(struct world *world, struct line *line, int end, struct packet *packet)
{
    struct errmsg msg = {{0}};
    struct bytes body;
    size_t cut = (size_t)chance_below(&line->end[end]->chance, packet->len + 1);
    enum err err = frames_push(line->frames[end], packet->bytes, cut, &msg);
    bool early = err == ERR_OK && cut < packet->len && frames_next(line->frames[end], &body);
    err = err == ERR_OK
              ? frames_push(line->frames[end], packet->bytes + cut, packet->len - cut, &msg)
              : err;
    if (err == ERR_OK && !early && frames_next(line->frames[end], &body)) {
        err = codec_decode(line->codec[end], body, &packet->arena, &packet->message, &msg);
    } else if (err == ERR_OK) {
        err = ERR_INVALID;
    }
    if (err != ERR_OK && host_near_damage(line->end[1 - end])) {
        world_trace(world, "%s cannot read what %s says: %s", line->end[end]->code,
                    line->end[1 - end]->code, msg.text);
        line_break(world, line, false); /* what is damaged may be a text */
    } else if (err != ERR_OK) {
        world_violate(world, "wire", "what %s says cannot be read at %s: %s %s",
                      line->end[1 - end]->code, line->end[end]->code, err_name(err), msg.text);
    }
    return err == ERR_OK;
}

/* Of batches and of acknowledgements one each is kept, now and then a newer one. */
static void keep(struct line *line, struct chance *chance, int end, const struct message *message)
{
    struct packet **slot = &line->kept[end][message->type == MESSAGE_ACK];
    bool kind = message->type == MESSAGE_BATCH || message->type == MESSAGE_ACK;
    if (!kind || (*slot != NULL && !chance_percent(chance, 30))) {
        return;
    }
    struct packet *kept = packet_new();
    if (copy_message(message, &kept->arena, &kept->message) != ERR_OK) {
        line_packet_free(kept);
        return;
    }
    line_packet_free(*slot);
    *slot = kept;
}

static void trace_message(struct world *world, const struct line *line, int end,
                          const struct message *message)
{
    char words[WORDS_BYTES];
    words_message(message, words);
    world_trace(world, "%s -> %s: %s", line->end[1 - end]->code, line->end[end]->code, words);
}

static void tell(struct host *host, const struct line *line, const struct message *message)
{
    host_inside = true;
    node_on_message(host->node, line->id, message);
    host_inside = false;
}

void line_deliver(struct world *world, struct line *line, int end, struct packet *packet)
{
    struct host *host = line->end[end];
    const struct route *route = &line->end[CHILD_END]->route;
    host_inside = false;
    if (world->in_bytes && !take_bytes(world, line, end, packet)) {
        return;
    }
    const struct message *message = &packet->message;
    bool fixed = message->type == MESSAGE_HELLO || message->type == MESSAGE_WELCOME ||
                 message->type == MESSAGE_REFUSE;
    trace_message(world, line, end, message);
    if (message->type == MESSAGE_HELLO) {
        clones_hello(world, line);
    }
    tell(host, line, message);
    if (!fixed && route->twice_percent > 0 && chance_percent(&host->chance, route->twice_percent)) {
        world_trace(world, "%s again", message_name(message->type));
        tell(host, line, message);
    }
    if (route->again_percent > 0) {
        const struct packet *old = line->kept[end][chance_below(&host->chance, 2)];
        if (old != NULL && chance_percent(&host->chance, route->again_percent)) {
            trace_message(world, line, end, &old->message);
            tell(host, line, &old->message);
        }
        keep(line, &host->chance, end, message);
    }
}

/* ---- dialling ---- */

void host_dial_later(struct world *world, struct host *host, int64_t in_us)
{
    if (!host->dial_due && host->parent != NULL && host->state == HOST_UP) {
        host->dial_due = true;
        world_event(world, world->now_us + in_us, EVENT_DIAL, host, 0);
    }
}

void host_dial(struct world *world, struct host *host)
{
    host->dial_due = false;
    if (host->state != HOST_UP || host->up != NULL) {
        return;
    }
    bool apart = host->route.apart_until_us > world->now_us;
    if (apart || host->parent->state != HOST_UP) {
        host_give(world, host, (struct item){.kind = ITEM_DIAL_FAILED});
        host_dial_later(world, host,
                        chance_between(&host->chance, DIAL_EVERY_MS / 2, DIAL_EVERY_MS) * MS_US);
        return;
    }
    struct line *line = line_open(world, host);
    world_trace(world, "%s dials %s", host->code, host->parent->code);
    host_give(world, host, (struct item){.kind = ITEM_UPLINK, .line = line->id});
    host_give(world, host->parent, (struct item){.kind = ITEM_DOWNLINK, .line = line->id});
}

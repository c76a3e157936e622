/* Maps of bytes, and a cursor over the feed. Nothing here reads the tables. */
#include "replay.h"

#include <unistd.h>

struct replayed_item {
    size_t key_len, len;
    char bytes[]; /* the key, then the item, both as they are in the record */
};

#define AT "record %llu, change %u of table %.*s"
#define WHERE (unsigned long long)sequence, change->number, TEXT_FMT(change->table)

static struct replayed *table_of(struct replay *replay, const struct store_change *change)
{
    struct text id = text_make(&change->table_id, sizeof(change->table_id));
    struct replayed *table = map_get(&replay->tables, id);
    if (table)
        return table;
    table = calloc(1, sizeof(*table));
    CHECK(table && change->table.len < sizeof(table->name), "memory");
    table->id = change->table_id;
    memcpy(table->name, change->table.data, change->table.len);
    map_init(&table->items);
    CHECK(map_put(&replay->tables, text_make(&table->id, sizeof(table->id)), table, NULL) == 0, "memory");
    return table;
}

static struct text item_bytes(const struct replayed_item *item)
{
    return item ? text_make(item->bytes + item->key_len, item->len) : TEXT_NONE;
}

/* The key is made of attributes of the image, the same values in it. */
static void check_keys(const struct store_change *change, struct text image, uint64_t sequence)
{
    struct attr *keys, *item;
    struct arena arena;
    arena_init(&arena, 4096, 4 << 20);
    CHECK(item_decode(&arena, change->keys, &keys) == 0 && item_decode(&arena, image, &item) == 0, AT ": not an item", WHERE);
    CHECK(keys->count == 1 || keys->count == 2, AT ": %u key attributes", WHERE, keys->count);
    for (const struct attr *at = keys->first; at; at = at->next)
        CHECK(item_get(item, at->name) && attr_equal(item_get(item, at->name), at), AT ": the image has another key", WHERE);
    arena_fini(&arena);
}

static void check_change(const struct store_change *change, const struct replayed_item *held, uint64_t sequence)
{
    char event = !change->before.len ? 'I' : !change->after.len ? 'R' : 'M';
    CHECK(change->before.len || change->after.len, AT ": it has no image", WHERE);
    CHECK(change->event == event, AT ": event %c instead of %c", WHERE, change->event, event);
    if (!held && text_is(change->table, table_name_of(T_SILENT)))
        return; /* its records begin when recovery is turned on, over items that are there */
    CHECK(!held == !change->before.len, AT ": %s", WHERE, held ? "there was an item before, and it has no old image" : "it has an old image, and there was no item");
    CHECK(text_equal(item_bytes(held), change->before), AT ": the old image is not what was there", WHERE);
    CHECK(!change->before.len || !change->after.len || !text_equal(change->before, change->after), AT ": nothing has changed", WHERE);
    if (change->before.len)
        check_keys(change, change->before, sequence);
    if (change->after.len)
        check_keys(change, change->after, sequence);
}

static void apply(struct replay *replay, uint64_t sequence, const struct store_change *change)
{
    struct replayed *table = table_of(replay, change);
    struct replayed_item *held = map_get(&table->items, change->keys), *item;
    CHECK(text_is(change->table, table->name), AT ": id %u was table %s", WHERE, change->table_id, table->name);
    CHECK(change->time_ms >= replay->last_ms, AT ": time goes back", WHERE);
    check_change(change, held, sequence);
    if (held)
        map_delete(&table->items, change->keys);
    free(held);
    if (change->after.len) {
        item = malloc(sizeof(*item) + change->keys.len + change->after.len);
        CHECK(item, "memory");
        *item = (struct replayed_item){change->keys.len, change->after.len};
        memcpy(item->bytes, change->keys.data, change->keys.len);
        memcpy(item->bytes + change->keys.len, change->after.data, change->after.len);
        CHECK(map_put(&table->items, text_make(item->bytes, item->key_len), item, NULL) == 0, "memory");
    }
    replay->last_ms = change->time_ms;
    replay->changes++;
}

void replay_run(struct replay *replay, struct tick *tick, struct journal *journal, void (*on_change)(void *context, uint64_t sequence, const struct store_change *change),
    void *context)
{
    struct store_change change;
    struct err err = {0};
    struct feed *feed;
    uint64_t sequence = 0, end = tick_durable(tick);
    uint32_t expected = 0;
    int rc;
    memset(replay, 0, sizeof(*replay));
    map_init(&replay->tables);
    CHECK(journal_first(journal) <= 1, "the journal has forgotten its beginning");
    CHECK(feed_open(&feed, tick, journal, (struct feed_position){0, FEED_ALL}, &err) == 0, "%s", err.text);
    while ((rc = feed_next(feed, &sequence, &change, &err)) >= 0) {
        if (rc == FEED_END) {
            expected = 0;
            replay->last_sequence = feed_position(feed).sequence;
            continue;
        }
        CHECK(sequence == replay->last_sequence + 1, "record %llu comes after %llu", (unsigned long long)sequence, (unsigned long long)replay->last_sequence);
        CHECK(change.number == expected, "change %u of record %llu instead of %u", change.number, (unsigned long long)sequence, expected);
        expected++;
        apply(replay, sequence, &change);
        if (on_change)
            on_change(context, sequence, &change);
    }
    CHECK(rc == ERR_AGAIN, "the feed ends: %s", err.text);
    CHECK(replay->last_sequence >= end, "the feed ends with %llu, %llu is durable", (unsigned long long)replay->last_sequence, (unsigned long long)end);
    feed_close(feed);
}

void replay_fini(struct replay *replay)
{
    struct replayed *table;
    for (size_t at = 0; (table = map_next(&replay->tables, &at)) != NULL;) {
        void *item;
        for (size_t i = 0; (item = map_next(&table->items, &i)) != NULL;)
            free(item);
        map_fini(&table->items);
        free(table);
    }
    map_fini(&replay->tables);
}

struct expected replay_items(struct replay *replay, struct arena *arena, const struct store_table *table, int64_t now_s)
{
    uint32_t id = store_table_id(table);
    struct replayed *replayed = map_get(&replay->tables, text_make(&id, sizeof(id)));
    struct expected all = {.item = arena_array(arena, replayed ? replayed->items.count + 1 : 1, sizeof(*all.item))};
    const struct replayed_item *held;
    struct attr *item;
    CHECK(all.item, "memory");
    for (size_t at = 0; replayed && (held = map_next(&replayed->items, &at)) != NULL;) {
        CHECK(item_decode(arena, item_bytes(held), &item) == 0, "a replayed item of %s", replayed->name);
        if (!store_item_expired(table, item, now_s))
            all.item[all.count++] = item;
    }
    return all;
}

/*
 * Specifications: what a subscription holds, as a table and a list of "attribute equals value". A key, the key of an index, the owner that a rule demands and
 * a client's filter are all such conditions, so one test says whether an item belongs, and a change is what it does to the set: an item that stops matching is
 * removed from it, though it lives on in the table. Ranks are the first entries of an index below a key, and have no further conditions.
 *
 * As bytes a specification is canonical: equal subscriptions of different clients share one topic and its frames.
 */
#include "gateway/live.h"
#include "base/cursor.h"

int live_spec_encode(struct buf *out, const struct live_spec *spec)
{
    buf_add_be32(out, spec->api);
    buf_add_u8(out, (uint8_t)(spec->conflate | spec->backward << 1));
    buf_add_be16(out, spec->top);
    buf_add_u8(out, spec->keys);
    buf_add_bytes(out, spec->table);
    buf_add_bytes(out, spec->index);
    buf_add_u8(out, (uint8_t)spec->conds);
    for (unsigned i = 0; i < spec->conds; i++) {
        buf_add_u8(out, spec->cond[i].type);
        buf_add_bytes(out, spec->cond[i].name);
        buf_add_bytes(out, spec->cond[i].text);
    }
    return out->failed ? ERR_TOO_LARGE : 0;
}

int live_spec_decode(struct text bytes, struct live_spec *spec)
{
    struct cursor c = cursor_of(bytes);
    *spec = (struct live_spec){.api = cursor_be32(&c)};
    uint8_t flags = cursor_u8(&c);
    spec->conflate = flags & 1;
    spec->backward = flags >> 1 & 1;
    spec->top = cursor_be16(&c);
    spec->keys = cursor_u8(&c);
    spec->table = cursor_bytes(&c);
    spec->index = cursor_bytes(&c);
    spec->conds = cursor_u8(&c);
    if (c.failed || spec->conds > LIVE_CONDS_MAX || spec->keys > spec->conds)
        return ERR_CORRUPT;
    for (unsigned i = 0; i < spec->conds; i++) {
        spec->cond[i].type = cursor_u8(&c);
        spec->cond[i].name = cursor_bytes(&c);
        spec->cond[i].text = cursor_bytes(&c);
    }
    return c.failed || cursor_left(&c) ? ERR_CORRUPT : 0;
}

uint64_t live_spec_id(struct text bytes)
{
    return hash_bytes(bytes);
}

bool live_cond_of(const struct attr *value, struct live_cond *cond)
{
    *cond = (struct live_cond){.name = value->name, .text = value->text, .type = (uint8_t)value->type};
    if (value->type == ATTR_BOOL)
        cond->text = value->boolean ? TEXT("1") : TEXT("0");
    return value->type == ATTR_BOOL || value->type == ATTR_STRING || value->type == ATTR_NUMBER;
}

static bool cond_holds(const struct live_cond *cond, const struct attr *item)
{
    const struct attr *value = item_get(item, cond->name);
    struct live_cond have;
    if (!value)
        return false;
    if (cond->type == LIVE_PRESENT)
        return true;
    return value->type == cond->type && live_cond_of(value, &have) && text_equal(have.text, cond->text);
}

bool live_spec_holds(const struct live_spec *spec, const struct attr *item)
{
    if (!item)
        return false;
    for (unsigned i = 0; i < spec->conds; i++)
        if (!cond_holds(&spec->cond[i], item))
            return false;
    return true;
}

char live_spec_event(const struct live_spec *spec, const struct attr *before, const struct attr *after)
{
    bool had = live_spec_holds(spec, before), has = live_spec_holds(spec, after);
    return had ? has ? 'M' : 'R' : has ? 'I' : 0;
}

static struct attr *value_of(struct arena *arena, const struct live_cond *cond)
{
    struct attr *value = arena_zalloc(arena, sizeof(*value));
    if (value)
        *value = (struct attr){.type = (enum attr_type)cond->type, .name = cond->name, .text = cond->text};
    return value;
}

int live_spec_query(const struct live_spec *spec, struct store *store, struct arena *arena, struct store_query *query)
{
    *query = (struct store_query){.table = store_table_find(store, spec->table), .backward = spec->backward, .whole = true}; /* as changes tell them */
    if (!query->table)
        return ERR_NOT_FOUND;
    query->index = spec->index.len ? store_index_find(query->table, spec->index) : NULL;
    if (spec->index.len && !query->index)
        return ERR_NOT_FOUND;
    const struct store_key *key = store_key_of(query->table, query->index);
    if (spec->keys > store_key_parts(key))
        return ERR_NOT_FOUND; /* it has been made anew with another key */
    for (size_t i = 0; i < spec->keys; i++) {
        const struct attr *value = value_of(arena, &spec->cond[i]);
        if (!value)
            return ERR_MEMORY;
        if (i < key->hashes)
            query->hash[i] = value;
        else
            query->equal[query->equals++] = value;
    }
    return 0;
}

/* ---- messages ---- */

struct gw_effect *live_effect(const struct live_message *message, struct text spec, struct net_frame *frame)
{
    struct gw_effect *effect;
    struct buf bytes;
    buf_init(&bytes, sizeof(*message) + LIVE_SPEC_MAX);
    buf_add(&bytes, message, sizeof(*message));
    buf_add_text(&bytes, spec);
    if (bytes.failed) {
        if (frame)
            net_frame_unref(frame);
        buf_fini(&bytes);
        return NULL;
    }
    effect = gw_effect_create(GW_EFFECT_LIVE, NULL, buf_text(&bytes), frame);
    buf_fini(&bytes);
    return effect;
}

void live_effect_read(const struct gw_effect *effect, struct live_message *message, struct text *spec)
{
    ASSERT(effect->text.len >= sizeof(*message));
    memcpy(message, effect->text.data, sizeof(*message));
    *spec = text_make(effect->text.data + sizeof(*message), effect->text.len - sizeof(*message));
}

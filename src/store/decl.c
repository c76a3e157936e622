/*
 * A table's declaration in bytes. The catalogue has a form of its own (catalogue.c), with the numbers of parts that only this folder knows; this one is for
 * what leaves the folder's catalogue: a backup holds it, and the table that is restored from it is declared anew.
 */
#include "store/internal.h"

#define DECL_VERSION 1
enum { DECL_CHANGES = 1, DECL_COUNTED = 2 };

static void add_key(struct buf *out, struct text name, enum attr_type type)
{
    buf_add_bytes(out, name);
    buf_add_u8(out, (uint8_t)type);
}

static void add_index(struct buf *out, const struct store_index_decl *index)
{
    buf_add_bytes(out, index->name);
    index_key_encode(out, &index->key);
    buf_add_u8(out, (uint8_t)index->projection);
    buf_add_u8(out, index->counted);
    buf_add_u8(out, (uint8_t)index->includes);
    for (size_t i = 0; i < index->includes; i++)
        buf_add_bytes(out, index->include[i]);
}

int store_decl_encode(struct buf *out, const struct store_table_decl *decl)
{
    buf_add_u8(out, DECL_VERSION);
    buf_add_bytes(out, decl->name);
    add_key(out, decl->hash, decl->hash_type);
    add_key(out, decl->range, decl->range_type);
    buf_add_bytes(out, decl->ttl);
    buf_add_u8(out, (uint8_t)((decl->changes ? DECL_CHANGES : 0) | (decl->counted ? DECL_COUNTED : 0)));
    buf_add_u8(out, (uint8_t)decl->indexes);
    for (size_t i = 0; i < decl->indexes; i++)
        add_index(out, &decl->index[i]);
    return out->failed ? ERR_MEMORY : 0;
}

static struct text take_text(struct arena *arena, struct cursor *c)
{
    struct text text = cursor_bytes(c);
    if (c->failed || !text.len)
        return TEXT_NONE;
    text = arena_copy(arena, text);
    c->failed = !text.data;
    return text;
}

static void take_key(struct arena *arena, struct cursor *c, struct text *name, enum attr_type *type)
{
    *name = take_text(arena, c);
    *type = (enum attr_type)cursor_u8(c);
    if (*type > ATTR_BINARY)
        c->failed = true;
}

static void take_index(struct arena *arena, struct cursor *c, struct store_index_decl *index)
{
    index->name = take_text(arena, c);
    index_key_decode(arena, c, &index->key);
    index->projection = (enum store_projection)cursor_u8(c);
    index->counted = cursor_u8(c) == 1;
    index->includes = cursor_u8(c);
    if (index->projection > STORE_PROJECT_INCLUDE || index->includes > sizeof(index->include) / sizeof(index->include[0]))
        c->failed = true;
    for (size_t i = 0; !c->failed && i < index->includes; i++)
        index->include[i] = take_text(arena, c);
}

int store_decl_decode(struct arena *arena, struct text bytes, struct store_table_decl *decl)
{
    struct cursor c = cursor_of(bytes);
    memset(decl, 0, sizeof(*decl));
    if (cursor_u8(&c) != DECL_VERSION)
        return ERR_CORRUPT;
    decl->name = take_text(arena, &c);
    take_key(arena, &c, &decl->hash, &decl->hash_type);
    take_key(arena, &c, &decl->range, &decl->range_type);
    decl->ttl = take_text(arena, &c);
    uint8_t flags = cursor_u8(&c);
    decl->changes = flags & DECL_CHANGES;
    decl->counted = flags & DECL_COUNTED;
    decl->indexes = cursor_u8(&c);
    if (c.failed || decl->indexes > STORE_INDEXES_MAX)
        return ERR_CORRUPT;
    for (size_t i = 0; !c.failed && i < decl->indexes; i++)
        take_index(arena, &c, &decl->index[i]);
    return c.failed || cursor_left(&c) ? ERR_CORRUPT : 0;
}

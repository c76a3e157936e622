/*
 * Reading stages over RocksDB as if they were one sorted map, in both directions.
 *
 * Up to three sources: the current stage, the stage in flight, RocksDB. For equal keys the newest wins and a
 * deletion hides. The handler may write while a cursor is open, so the current stage is not stepped along its
 * links when its version has grown: the place is sought again from the last key. Advancing is lazy, at the
 * next step, for the same reason.
 */
#include "store/internal.h"

#include "base/hash.h"

static bool in_bounds(const struct merge *m, struct text key)
{
    if (m->backward)
        return !m->lower.len || text_compare(key, m->lower) >= 0;
    return !m->upper.len || text_compare(key, m->upper) < 0;
}

static struct node *node_seek(const struct merge *m, int i, struct text target, bool strict)
{
    if (!m->stage[i] || !m->stage[i]->nodes)
        return NULL;
    return m->backward ? overlay_seek_back(m->stage[i], target, strict)
                       : overlay_seek(m->stage[i], target, strict);
}

static struct node *node_after(const struct merge *m, int i)
{
    return m->backward ? overlay_seek_back(m->stage[i], m->node[i]->key, true) : m->node[i]->next[0];
}

/* Passes over rolled-back nodes and stops at the bound. */
static void node_settle(struct merge *m, int i)
{
    while (m->node[i] && m->node[i]->state == NODE_ABSENT)
        m->node[i] = node_after(m, i);
    if (m->node[i] && !in_bounds(m, m->node[i]->key))
        m->node[i] = NULL;
}

static int iter_result(struct merge *m, int rc, struct text from)
{
    m->iter_valid = rc == 0;
    if (rc && rc != ERR_NOT_FOUND)
        m->broken = rc;
    if (rc == ERR_COLD)
        cold_note(m->view, from, m->backward ? STORE_COLD_BACK : STORE_COLD_ON);
    return m->broken;
}

static int iter_seek(struct merge *m, struct text target)
{
    return iter_result(m, rocks_iter_seek(m->iter, target, m->backward), target);
}

static int iter_step(struct merge *m)
{
    if (m->view->cold && m->view->cache_only) { /* an iterator that failed no longer knows where it was */
        buf_clear(&m->last);
        buf_add_text(&m->last, rocks_iter_key(m->iter));
    }
    return iter_result(m, rocks_iter_step(m->iter, m->backward), buf_text(&m->last));
}

static int advance_taken(struct merge *m)
{
    struct store_stage *current = m->stage[0];
    if (current && current->version != m->version) {
        m->version = current->version;
        m->node[0] = node_seek(m, 0, m->key, true);
    } else if (m->taken & 1u) {
        m->node[0] = node_after(m, 0);
    }
    if (m->taken & 2u)
        m->node[1] = node_after(m, 1);
    if (m->taken & MERGE_ITER)
        return iter_step(m);
    return 0;
}

/* Chooses the next key among the sources; sets key, value and which sources hold it. Answers the newest
 * source, -1 at the end. */
static int choose(struct merge *m)
{
    int best = -1;
    m->taken = 0;
    for (int i = 0; i < 3; i++) {
        struct text key;
        if (i < 2) {
            node_settle(m, i);
            if (!m->node[i])
                continue;
            key = m->node[i]->key;
        } else {
            if (!m->iter_valid)
                continue;
            key = rocks_iter_key(m->iter);
        }
        int order = best < 0 ? -1 : text_compare(key, m->key);
        if (best >= 0 && m->backward)
            order = -order;
        if (order < 0) {
            best = i;
            m->key = key;
            m->taken = 0;
        }
        if (order <= 0)
            m->taken |= 1u << i;
    }
    return best;
}

static int settle(struct merge *m)
{
    for (;;) {
        int best = choose(m);
        if (best < 0)
            return m->broken ? m->broken : ERR_NOT_FOUND;
        if (best == 2) {
            m->value = rocks_iter_value(m->iter);
            return 0;
        }
        if (m->node[best]->state == NODE_PUT) {
            m->value = m->node[best]->value;
            return 0;
        }
        int rc = advance_taken(m);
        if (rc)
            return rc;
    }
}

int merge_open(struct merge *m, struct store_view *view, struct text lower, struct text upper, bool sweep)
{
    memset(m, 0, sizeof(*m));
    m->view = view;
    m->lower = lower;
    m->upper = upper;
    buf_init(&m->last, KEY_BYTES_MAX);
    m->stage[0] = view->stage;
    m->stage[1] = view->stage ? view->stage->flight : NULL;
    unsigned flags = (view->cache_only ? ROCKS_CACHE_ONLY : 0) | (sweep ? ROCKS_NO_FILL : 0);
    return rocks_iter_open(
        view->store->rocks, view->snapshot ? view->snapshot->rocks : NULL, flags, lower, upper, &m->iter);
}

void merge_close(struct merge *m)
{
    rocks_iter_close(m->iter);
    m->iter = NULL;
    buf_fini(&m->last);
}

int merge_seek(struct merge *m, struct text target, bool backward)
{
    m->backward = backward;
    m->broken = 0;
    if (m->stage[0])
        m->version = m->stage[0]->version;
    for (int i = 0; i < 2; i++)
        m->node[i] = node_seek(m, i, target, false);
    int rc = iter_seek(m, target);
    return rc ? rc : settle(m);
}

int merge_first(struct merge *m, bool backward)
{
    if (!backward)
        return merge_seek(m, m->lower, false);
    m->backward = true;
    m->broken = 0;
    if (m->stage[0])
        m->version = m->stage[0]->version;
    for (int i = 0; i < 2; i++)
        m->node[i] = node_seek(m, i, m->upper, true);
    /* The upper bound itself is outside; RocksDB stops below it. */
    int rc = iter_seek(m, m->upper);
    return rc ? rc : settle(m);
}

int merge_step(struct merge *m)
{
    if (m->broken)
        return m->broken;
    if (!m->taken)
        return ERR_NOT_FOUND;
    int rc = advance_taken(m);
    return rc ? rc : settle(m);
}

int view_get(struct store_view *view, struct text key, struct rocks_value *value)
{
    value->pin = NULL;
    uint64_t hash = view->stage ? hash_bytes(key) : 0;
    for (struct store_stage *stage = view->stage; stage;
         stage = stage == view->stage ? stage->flight : NULL) {
        const struct node *node = overlay_find_hashed(stage, key, hash);
        if (!node || node->state == NODE_ABSENT)
            continue;
        value->bytes = node->value;
        return node->state == NODE_PUT ? 0 : ERR_NOT_FOUND;
    }
    int rc = rocks_get(
        view->store->rocks, view->snapshot ? view->snapshot->rocks : NULL, view->cache_only, key, value);
    if (rc == ERR_COLD)
        cold_note(view, key, STORE_COLD_GET);
    return rc;
}

/*
 * Topics: one for each specification that somebody follows. They are found by the value of their first condition's attribute, as rows of an index are, so that a
 * change meets the topics that may hold it and no others. Services' thread.
 */
#ifndef WEIR_GATEWAY_LIVE_TOPIC_H
#define WEIR_GATEWAY_LIVE_TOPIC_H

#include "gateway/live.h"

#define PIVOTS_MAX 16      /* attributes of a table that topics are found by; topics of further ones are looked at with every change */

struct live_topic {
    struct text key; /* the specification's bytes */
    struct live_spec spec;
    uint64_t id;
    struct feed_position announced; /* up to where its last announcement went */
    struct live_watch *watch;
    struct live_topic *same; /* topics with the same pivot value */
    struct live_topic *dirty_next;
    bool dirty;
    uint64_t open; /* bit per io thread */
    struct live_collect collect;
    struct live_ranks *ranks; /* NULL: a table is followed, not the top of an index */
    struct text value; /* of its pivot: type, then text; empty: none */
    unsigned pivot;
    char bytes[];
};
struct live_pivot {
    struct text name; /* allocated */
    struct map by_value;
};
struct live_watch {
    struct text name; /* allocated */
    uint32_t table_id; /* of the table that has the name; 0: there is none */
    bool changes;      /* it keeps them */
    size_t topics;
    struct live_topic *all; /* topics without a pivot */
    struct live_pivot pivot[PIVOTS_MAX];
    unsigned pivots;
};

/* Opens the head when it is the first. NULL without memory, or when the journal cannot be followed. */
struct live_topic *live_topic_make(struct gw_live *live, struct text spec, uint64_t id);
/* An io thread has subscribers of it. */
void live_topic_open(struct gw_live *live, const struct live_message *message, struct text spec);
void live_topic_end(struct gw_live *live, struct live_topic *topic);
/* The first of the topics (linked by `same`) that want the item's value of the pivot's attribute. */
struct live_topic *live_topic_chain(const struct live_pivot *pivot, const struct attr *item, struct buf *scratch);
/* live_feed.c */
bool live_head_open(struct gw_live *live);

#endif

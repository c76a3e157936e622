/*
 * An application in a repository of its own: a declaration, its handlers, and a main() of one call. Linked with libweir it is a whole server, with every command of
 * `weir` and every wire: the same table also answers to the AWS SDKs.
 *
 *   > {"action":"sign","name":"Ada"}      < {"type":"ack","action":"sign","seq":5}
 *   > {"action":"count"}                  < {"type":"guests","count":1}
 */
#include <weir/weir.h>

#include <stddef.h>

static struct weir_table guests = {
    .name = "guests-{env}", .hash = "book", .range = "at", .index = {{.name = "ByBook", .hash = "book", .range = "at", .counted = true}}};

static void sign(struct weir_call *call)
{
    struct weir_text name = weir_in_text(call, "name", 1, 64);
    struct weir_item *entry = weir_item(call);
    weir_item_text(entry, "book", WEIR_STR("front door"));
    weir_item_text(entry, "at", weir_id(call));
    weir_item_text(entry, "name", name);
    weir_put(call, &guests, entry);
    weir_ack(call);
}

static void count(struct weir_call *call)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "book", WEIR_STR("front door"));
    uint64_t number = weir_rank_count(call, &(struct weir_query){.table = &guests, .index = "ByBook", .key = key});
    struct weir_json *answer = weir_json(call);
    weir_object(answer);
    weir_member(answer, "type", WEIR_STR("guests"));
    weir_member_integer(answer, "count", (int64_t)number);
    weir_end(answer);
    weir_reply(call, answer);
}

static const struct weir_app guestbook = {
    .name = "guestbook",
    .description = "an application in a repository of its own",
    .tables = (struct weir_table *const[]){&guests, NULL},
    .routes = (const struct weir_route[]){
        {"sign", sign, WEIR_TICK},
        {"count", count, WEIR_READ},
        {0},
    },
};

int main(int argc, char **argv)
{
    static const struct weir_app *const apps[] = {&guestbook, NULL};
    return weir_main(argc, argv, apps);
}

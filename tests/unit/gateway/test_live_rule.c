/* Who may follow what: which rule allows a request, what refuses it, and what of an identity a rule rests on. */
#include "gateway/live.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct weir_table orders = {.name = "orders-{env}", .hash = "id", .changes = true}, still = {.name = "still", .hash = "id"};
static struct gw_live_config rows[] = {
    {.table = {"news", 4}, .who = GW_LIVE_ANYONE},
    {.table = {"audit-{env}", 11}, .who = GW_LIVE_ROLE, .which = {"auditor", 7}},
    {.table = {"boards", 6}, .who = GW_LIVE_AUTHENTICATED, .where = {{{"team", 4}, GW_LIVE_USER_GROUPS}}, .wheres = 1},
    {.table = {"letters", 7}, .who = GW_LIVE_AUTHENTICATED, .where = {{{"to", 2}, GW_LIVE_USER_EMAIL}}, .wheres = 1},
    {.table = {"scores", 6}, .who = GW_LIVE_AUTHENTICATED, .index = {"ByScore", 7}, .ranks = 10},
    {.table = {"scores", 6}, .who = GW_LIVE_GROUP, .which = {"judges", 6}},
};
static struct gateway *gateway;
static struct gw_api_config api_config;

static int build(const struct weir_live *live, enum net_slow slow, size_t queue_bytes, struct err *err)
{
    static struct weir_app app;
    app = (struct weir_app){.name = "shop", .live = live};
    api_config = (struct gw_api_config){.name = TEXT("shop"), .app = &app, .stage_count = 1, .stages = {TEXT("prod")}, .live = rows, .live_count = sizeof(rows) / sizeof(rows[0])};
    api_config.ws.slow = slow;
    api_config.ws.queue_bytes_max = queue_bytes;
    struct gateway_config config = {.apis = &api_config, .api_count = 1, .environment = TEXT("test")};
    return gateway_create(&gateway, &config, err);
}

static const struct weir_live own_orders[] = {{.table = &orders, .rule = WEIR_LIVE_OWN, .owner = "customer"}, {.table = &orders, .rule = WEIR_LIVE_ADMINS}, {0}};

static int setup(void **state)
{
    struct err err;
    (void)state;
    return build(own_orders, NET_SLOW_DISCONNECT, 0, &err);
}

static int teardown(void **state)
{
    (void)state;
    gateway_destroy(gateway);
    return 0;
}

static struct gw_identity *person(const char *user, const char *role, const char *email, const char *group)
{
    struct text groups[] = {TEXT("all"), text_of(group)};
    struct gw_identity *identity = gw_identity_create(text_of(user), TEXT_NONE, text_of(email), text_of(role), groups, group ? 2 : 0);
    assert_non_null(identity);
    identity->proven = true;
    return identity;
}

static const struct live_rule *find(const struct gw_identity *identity, const char *table, const char *index, int64_t top, const char **field)
{
    struct live_wish wish = {.table = text_of(table), .index = text_of(index), .ranks = top > 0, .top = top};
    char why[400];
    const struct live_rule *rule = live_rule_find(&gateway->apis[0], identity, &wish, field, why, sizeof(why));
    assert_true(rule || strlen(why) > 10);
    return rule;
}

static void assert_refused(const struct gw_identity *identity, const char *table, const char *index, int64_t top, const char *field)
{
    const char *said;
    assert_null(find(identity, table, index, top, &said));
    assert_string_equal(said, field);
}

static void test_who(void **state)
{
    const char *field;
    struct gw_identity *ada = person("ada", "user", "", NULL), *root = person("root", "admin", "", NULL), *auditor = person("eve", "auditor", "", NULL);
    (void)state;
    assert_true(live_rule_is_for_all(find(NULL, "news", NULL, 0, &field)));
    assert_refused(NULL, "orders-test", NULL, 0, "table");
    assert_refused(ada, "orders-{env}", NULL, 0, "table");
    assert_refused(ada, "elsewhere", NULL, 0, "table");
    assert_int_equal(find(ada, "orders-test", NULL, 0, &field)->is.wheres, 1);
    assert_int_equal(find(root, "orders-test", NULL, 0, &field)->is.wheres, 0); /* the one that allows most */
    assert_refused(root, "audit-test", NULL, 0, "table");
    assert_non_null(find(auditor, "audit-test", NULL, 0, &field));
    auditor->proven = ada->proven = false;
    assert_refused(auditor, "audit-test", NULL, 0, "table");
    assert_refused(ada, "orders-test", NULL, 0, "table");
    gw_identity_unref(ada);
    gw_identity_unref(root);
    gw_identity_unref(auditor);
}

static void test_shape(void **state)
{
    const char *field;
    struct gw_identity *ada = person("ada", "user", "", NULL), *judge = person("judge", "user", "", "judges");
    (void)state;
    assert_non_null(find(ada, "scores", "ByScore", 10, &field));
    assert_refused(ada, "scores", "ByScore", 11, "top");
    assert_refused(ada, "scores", "ByScore", 0, "table");
    assert_refused(ada, "scores", "Other", 3, "index");
    assert_refused(ada, "scores", NULL, 3, "index");
    assert_non_null(find(judge, "scores", NULL, 0, &field));
    assert_non_null(find(judge, "scores", "ByScore", 1000, &field));
    gw_identity_unref(ada);
    gw_identity_unref(judge);
}

/* What the rule does not read may change; what it reads may not. An empty value is nobody's. */
static void test_proof(void **state)
{
    const char *field;
    struct gw_identity *ada = person("ada", "user", "ada@x", "red"), *same = person("ada", "admin", "ada@x", "red"), *moved = person("ada", "user", "ada@y", "blue");
    struct gw_identity *bare = person("ada", "user", "", NULL);
    (void)state;
    const struct live_rule *letters = find(ada, "letters", NULL, 0, &field), *boards = find(ada, "boards", NULL, 0, &field);
    assert_int_not_equal(live_rule_proof(letters, ada), 0);
    assert_true(live_rule_proof(letters, ada) == live_rule_proof(letters, same) && live_rule_proof(boards, ada) == live_rule_proof(boards, same));
    assert_true(live_rule_proof(letters, ada) != live_rule_proof(letters, moved) && live_rule_proof(boards, ada) != live_rule_proof(boards, moved));
    assert_int_equal(live_rule_proof(letters, NULL), 0);
    assert_refused(bare, "letters", NULL, 0, "table");
    assert_refused(bare, "boards", NULL, 0, "table");
    gw_identity_unref(ada);
    gw_identity_unref(same);
    gw_identity_unref(moved);
    gw_identity_unref(bare);
}

static void test_wrong(void **state)
{
    static const struct weir_live no_changes[] = {{.table = &still, .rule = WEIR_LIVE_ANYONE}, {0}}, no_owner[] = {{.table = &orders, .rule = WEIR_LIVE_OWN}, {0}};
    struct err err;
    (void)state;
    assert_int_equal(build(no_changes, NET_SLOW_DISCONNECT, 0, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "keeps no changes"));
    assert_int_equal(build(no_owner, NET_SLOW_DISCONNECT, 0, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "names the owner"));
    assert_int_equal(build(own_orders, NET_SLOW_LATEST, 0, &err), ERR_INVALID);
    assert_int_equal(build(own_orders, NET_SLOW_DISCONNECT, 4096, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proof, setup, teardown),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

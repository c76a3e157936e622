/* What the actions of alarms mean, by their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/alarms.h"

static const struct {
    const char *action;
    enum gw_alarm_kind kind;
    const char *api, *name;
} good[] = {
    {"http://127.0.0.1:1/x", GW_ALARM_WEBHOOK, "", ""},
    {"https://hooks.example/a?b=c", GW_ALARM_WEBHOOK, "", ""},
    {"weir:room:game/ops/night", GW_ALARM_ROOM, "game", "ops/night"},
    {"weir:broadcast:game", GW_ALARM_BROADCAST, "game", ""},
    {"weir:route:game/@alarm", GW_ALARM_ROUTE, "game", "@alarm"},
    {"arn:aws:execute-api:us-east-1:123456789012:game/prod/@rooms/ops", GW_ALARM_ROOM, "game", "ops"},
    {"arn:aws:execute-api:us-east-1:123456789012:game/prod/@broadcast", GW_ALARM_BROADCAST, "game", ""},
    {"arn:aws:execute-api:us-east-1:123456789012:game/prod/@alarm", GW_ALARM_ROUTE, "game", "@alarm"},
    {"arn:aws:execute-api:us-east-1:123456789012:game/prod/POST/x", GW_ALARM_ELSEWHERE, NULL, NULL},
    {"arn:aws:execute-api:us-east-1:123456789012:game", GW_ALARM_ELSEWHERE, NULL, NULL},
    {"arn:aws:sns:us-east-1:123456789012:people", GW_ALARM_ELSEWHERE, NULL, NULL},
    {"arn:aws:automate:us-east-1:ec2:stop", GW_ALARM_ELSEWHERE, NULL, NULL},
};
static const char *const bad[] = {"", "somewhere", "ftp://x", "weir:", "weir:room:", "weir:room:game", "weir:room:game/", "weir:room:/ops", "weir:route:game/alarm", "weir:route:game/@", "weir:broadcast:",
    "weir:broadcast:game/x", "arn:", "arn:aws:sns", "http://a b", "weir:room:game/a\n"};

static void test_texts(void **state)
{
    struct gw_alarm_target target;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (gw_alarm_target_parse(text_of(good[i].action), &target) || target.kind != good[i].kind)
            fail_msg("%s", good[i].action);
        if (good[i].api && (!text_is(target.api, good[i].api) || !text_is(target.name, good[i].name)))
            fail_msg("%s: %.*s and %.*s", good[i].action, TEXT_FMT(target.api), TEXT_FMT(target.name));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (gw_alarm_target_parse(text_of(bad[i]), &target) != ERR_SYNTAX)
            fail_msg("%s is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

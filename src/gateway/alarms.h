/*
 * Alarms in the gateway: the clock that has them evaluated, their actions, and those that are declared. What an alarm is, and how it changes, is watch/alarm.h.
 *
 * Every ten seconds the services' thread asks a worker to look at the alarms that are due, a slice at a time, on a snapshot; what has changed is committed in calls of the tick. So
 * neither an io thread nor the state thread reads a figure for an alarm. A clock that has jumped (a test's, a machine's that slept) leads to one look, not to one for every period.
 *
 * Actions (alarm_action.c), by the text that the alarm gives:
 *
 *   http:// https://                    a POST of the payload, durable, tried again, signed when there is a secret
 *   weir:room:API/ROOM                  the payload to a room;       arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/@rooms/ROOM
 *   weir:broadcast:API                  to all connections of an API; arn:...:API/STAGE/@broadcast
 *   weir:route:API/@NAME                a deferred call of a handler; arn:...:API/STAGE/@NAME
 *   arn:                                anything else of AWS's: kept and told in the history as not carried out
 */
#ifndef WEIR_GATEWAY_ALARMS_H
#define WEIR_GATEWAY_ALARMS_H

#include "gateway/gateway.h"
#include "watch/alarm.h"

struct gw_io;
struct weir_call;

#define GW_ALARM_THEN "@alarms/answer" /* the `then` of a webhook's request: its answer belongs to the alarm's history */
#define GW_ALARM_EVENT "alarm"         /* the event's name in envelopes */
#define GW_ALARM_SIGNATURE "x-weir-signature"
#define GW_ALARM_SIGNATURE_MAX 128

int gw_alarms_create(struct gateway *gateway, struct err *err);
/* Before the first call: the table, then (in a call of their own, since the table must be known) the declared alarms. */
int gw_alarms_define_table(struct tick *tick, struct err *err);
int gw_alarms_define(struct gateway *gateway, struct tick *tick, struct arena *arena, struct err *err);
void gw_alarms_begin(struct gw_io *io); /* on the services' thread, when it starts */
void gw_alarms_end(struct gateway *gateway); /* after the threads, the loops, and what workers brought last */
/* An alarm with a period of less than a minute has come: looks every ten seconds from now on. Any thread. */
void gw_alarms_hasten(struct gateway *gateway);
/* Any thread; lives as long as the gateway. */
const struct watch_alarm_house *gw_alarm_house(const struct gateway *gateway);

/* A declared text with {env}, {stage} and {api} replaced (api NULL: an alarm of the server), in the arena; TEXT_NONE without memory. */
struct text gw_alarm_text(struct arena *arena, struct text environment, const struct gw_api_config *api, const char *text);

/* ---- alarm_action.c ---- */
enum gw_alarm_kind { GW_ALARM_WEBHOOK, GW_ALARM_ROOM, GW_ALARM_BROADCAST, GW_ALARM_ROUTE, GW_ALARM_ELSEWHERE };
struct gw_alarm_target {
    enum gw_alarm_kind kind;
    struct text api, name; /* name: of the room, of the route with its '@' */
};
/* ERR_SYNTAX: no action at all. */
int gw_alarm_target_parse(struct text action, struct gw_alarm_target *target);
int gw_alarm_act(void *gateway, struct tick *tick, struct arena *arena, struct watch_alarm_act *act);
/* "t=..,v1=.." of a body that leaves now; false without a secret. Any thread. */
bool gw_alarm_sign(struct text secret, struct text body, char out[GW_ALARM_SIGNATURE_MAX]);
/* In the tick: a webhook's answer, or its last failure, in call->body. */
int gw_alarm_answered(struct weir_call *call, struct tick *tick);

/* ---- own_alarms.c ---- */
/* The server's own, for each API; ends with a name of NULL. */
extern const struct weir_alarm gw_own_alarms[];

#endif

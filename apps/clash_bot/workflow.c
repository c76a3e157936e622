/*
 * The assignment workflow of a tournament: Register Tournament, Assign Players, Lock Teams.
 *
 * The document runs it as a state machine whose steps call a function that scans the connections. Here a step is a deferred call: its writes, its event and the
 * call of the next step are one commit. Whatever the crash, either all of them have happened or none has, and then the step's row is still there and runs. So no step
 * is lost, none is done twice, and an event that was sent says what is on the disk.
 *
 *   start     -> workflow.started          status started
 *   @register -> tournament.registered     status registered
 *   @assign   -> players.assigned          status assigned, the players carry the team's id
 *   @lock     -> teams.locked              status locked, the execution has SUCCEEDED
 *
 * A deferred call is due a millisecond after the tick that asked for it at the earliest, thus never in that same tick: each event has a commit of its own, and
 * "sequence", which is that commit's, rises from event to event of a tournament.
 *
 * An event leaves after its commit. Who cannot take it (a client that vanished, a queue that is full) misses it alone; the step has happened.
 *
 * A step that fails is tried again by weir_later, eight times in about two minutes. What cannot get better by waiting (the tournament was deleted under the
 * workflow) fails the execution at once. A step that was given up would leave it RUNNING for ever, and the tournament with it, so a watch ends an execution without
 * progress. It measures progress, not age: after a long standstill of the server the steps that are due come first.
 *
 * Demands: WF-1 … WF-10, X-10
 */
#include "clash_bot.h"

#include <stdio.h>

#define STATE_MACHINE "ClashAssignmentWorkflow"
#define ARN_MAX 512
#define STEP_DELAY_MAX WEIR_HOUR
#define STANDSTILL (15 * WEIR_MINUTE)    /* longer than all attempts of a step */
#define KEPT (90 * WEIR_DAY)             /* an execution's row after its last change, as AWS keeps a history */
#define AFTER_THIS_TICK 1                /* ms */

struct weir_table cb_executions = {
    .name = "ClashExecutions",
    .hash = "executionId",
    .hash_type = WEIR_S,
    .index = {{.name = "TournamentIndex", .hash = "tournamentId", .hash_type = WEIR_S, .range = "startedAt", .range_type = WEIR_S}},
    .ttl = "ttl",
    .changes = true,
};

/* What a step works on: copies that are put when it has done its part. */
struct run {
    struct weir_call *call;
    struct weir_text tournament_id, team_id;
    struct weir_item *execution, *tournament;
    struct weir_json *event;
};

static void register_tournament(struct run *run);
static void assign_players(struct run *run);
static void lock_teams(struct run *run);

/* `status`: of the tournament; "<status>At" and "<status>Sequence" of the execution say when the step was done. */
static const struct step {
    const char *name, *route, *event, *status, *at, *sequence;
    void (*work)(struct run *run); /* changes the items and writes the rest of the event's data */
} steps[] = {
    {"Register Tournament", "@register", "tournament.registered", "registered", "registeredAt", "registeredSequence", register_tournament},
    {"Assign Players", "@assign", "players.assigned", "assigned", "assignedAt", "assignedSequence", assign_players},
    {"Lock Teams", "@lock", "teams.locked", "locked", "lockedAt", "lockedSequence", lock_teams},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* ---- events: {"type","tournamentId","data":{"tournamentId",..},"timestamp","sequence"} ---- */

static struct weir_json *event_open(struct weir_call *call, const char *type, struct weir_text tournament_id)
{
    struct weir_json *event = weir_json(call);
    weir_object(event);
    weir_member(event, "type", weir_text_of(type));
    weir_member(event, "tournamentId", tournament_id);
    weir_name(event, "data");
    weir_object(event);
    weir_member(event, "tournamentId", tournament_id);
    return event;
}

static void event_send(struct weir_call *call, struct weir_json *event)
{
    weir_end(event);
    weir_member(event, "timestamp", weir_now_iso(call));
    weir_member_integer(event, "sequence", (int64_t)weir_sequence(call));
    weir_end(event);
    weir_broadcast(call, event);
}

/* ---- executions ---- */

static const struct weir_item *execution_get(struct weir_call *call, struct weir_text id)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "executionId", id);
    return id.len && id.len <= CB_ID_MAX ? weir_get(call, &cb_executions, key) : NULL;
}

static bool is_running(const struct weir_item *execution)
{
    return execution && weir_text_is(weir_get_text(execution, "status"), "RUNNING");
}

static struct weir_item *copy_of(struct weir_call *call, const struct weir_item *from)
{
    struct weir_item *copy = weir_item(call);
    weir_item_copy(copy, from);
    return copy;
}

static void execution_put(struct weir_call *call, struct weir_item *execution)
{
    weir_item_integer(execution, "progressMs", weir_now(call));
    weir_item_expires_in(execution, KEPT);
    weir_put(call, &cb_executions, execution);
}

static struct weir_json *execution_payload(struct weir_call *call, const struct weir_item *execution)
{
    struct weir_json *payload = weir_json(call);
    weir_object(payload);
    weir_member(payload, "executionId", weir_get_text(execution, "executionId"));
    weir_end(payload);
    return payload;
}

/* The execution FAILED, and its tournament is open again for another one. */
static void execution_fail(struct weir_call *call, const struct weir_item *before, const char *cause)
{
    struct weir_item *execution = copy_of(call, before);
    struct weir_text id = weir_get_text(before, "executionId");
    weir_item_text(execution, "status", WEIR_STR("FAILED"));
    weir_item_text(execution, "cause", weir_text_of(cause));
    weir_item_text(execution, "stoppedAt", weir_now_iso(call));
    execution_put(call, execution);
    const struct weir_item *found = weir_get(call, &cb_tournaments, cb_tournament_key(call, weir_get_text(before, "tournamentId")));
    if (found) {
        struct weir_item *tournament = copy_of(call, found);
        weir_item_text(tournament, "status", WEIR_STR("open"));
        weir_put(call, &cb_tournaments, tournament);
    }
    struct weir_json *fields = weir_json(call);
    weir_object(fields);
    weir_member(fields, "executionId", id);
    weir_member(fields, "cause", weir_text_of(cause));
    weir_end(fields);
    weir_log_event(call, WEIR_ERROR, "Execution failed", fields);
}

/* ---- the steps ---- */

static void register_tournament(struct run *run)
{
    weir_member(run->event, "startTime", weir_get_text(run->tournament, "startTime"));
}

static void assign_players(struct run *run)
{
    const struct weir_item *players[CB_PLAYERS_MAX];
    struct weir_call *call = run->call;
    size_t count = cb_players_read(call, run->tournament_id, players);
    if (count > CB_PLAYERS_MAX) { /* rows that came past the routes, through the table's own API */
        weir_fail(call, "LIMIT", "players", "a tournament has at most %d players", CB_PLAYERS_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct weir_item *player = copy_of(call, players[i]);
        weir_item_text(player, "teamId", run->team_id);
        weir_item_text(player, "assignedAt", weir_now_iso(call));
        weir_put(call, &cb_players, player);
    }
    weir_item_text(run->tournament, "teamId", run->team_id);
    weir_item_integer(run->tournament, "playerCount", (int64_t)count);
    weir_item_integer(run->execution, "assignedCount", (int64_t)count);
    weir_member(run->event, "teamId", run->team_id);
    weir_member_integer(run->event, "assignedCount", (int64_t)count);
}

static void lock_teams(struct run *run)
{
    weir_item_text(run->execution, "status", WEIR_STR("SUCCEEDED"));
    weir_item_text(run->execution, "stoppedAt", weir_now_iso(run->call));
    weir_member(run->event, "teamId", run->team_id);
    weir_member(run->event, "status", WEIR_STR("locked"));
}

static void step_next(struct weir_call *call, const struct weir_item *execution, size_t next)
{
    int64_t delay = weir_get_integer(execution, "stepDelay", 0);
    if (next < STEPS)
        weir_later(call, delay > AFTER_THIS_TICK ? delay : AFTER_THIS_TICK, steps[next].route, execution_payload(call, execution));
}

static void step_run(struct weir_call *call, size_t number)
{
    char team[CB_ID_MAX + 8];
    const struct step *step = &steps[number];
    const struct weir_item *execution = execution_get(call, weir_in_text(call, "executionId", 1, CB_ID_MAX));
    if (!is_running(execution) || weir_get_integer(execution, "stepsDone", -1) != (int64_t)number)
        return; /* it was ended by the watch meanwhile */
    struct run run = {.call = call, .tournament_id = weir_get_text(execution, "tournamentId")};
    const struct weir_item *tournament = weir_get(call, &cb_tournaments, cb_tournament_key(call, run.tournament_id));
    if (!tournament) {
        execution_fail(call, execution, "the tournament was deleted");
        return;
    }
    run.team_id = (struct weir_text){team, (size_t)snprintf(team, sizeof(team), "team-%.*s", WEIR_TEXT(run.tournament_id))};
    run.execution = copy_of(call, execution);
    run.tournament = copy_of(call, tournament);
    run.event = event_open(call, step->event, run.tournament_id);
    step->work(&run);
    weir_item_text(run.tournament, "status", weir_text_of(step->status));
    weir_put(call, &cb_tournaments, run.tournament);
    weir_item_integer(run.execution, "stepsDone", (int64_t)number + 1);
    weir_item_text(run.execution, step->at, weir_now_iso(call));
    weir_item_integer(run.execution, step->sequence, (int64_t)weir_sequence(call));
    execution_put(call, run.execution);
    event_send(call, run.event);
    step_next(call, run.execution, number + 1);
}

void cb_workflow_register(struct weir_call *call)
{
    step_run(call, 0);
}

void cb_workflow_assign(struct weir_call *call)
{
    step_run(call, 1);
}

void cb_workflow_lock(struct weir_call *call)
{
    step_run(call, 2);
}

/* ---- the watch ---- */

static int64_t patience(const struct weir_item *execution)
{
    return STANDSTILL + weir_get_integer(execution, "stepDelay", 0);
}

static void watch_later(struct weir_call *call, const struct weir_item *execution, int64_t delay)
{
    weir_later(call, delay, "@watch", execution_payload(call, execution));
}

void cb_workflow_watch(struct weir_call *call)
{
    const struct weir_item *execution = execution_get(call, weir_in_text(call, "executionId", 1, CB_ID_MAX));
    if (!is_running(execution))
        return;
    int64_t left = weir_get_integer(execution, "progressMs", 0) + patience(execution) - weir_now(call);
    if (left > 0)
        watch_later(call, execution, left);
    else
        execution_fail(call, execution, "a step was given up after all its attempts");
}

/* ---- the start ---- */

/* Refused with the execution that runs. An answer, not a failure, since an error has no place for the ARN as a member. */
static void reply_running(struct weir_call *call, const struct weir_item *tournament, const struct weir_item *execution)
{
    char message[ARN_MAX + CB_ID_MAX + 64];
    struct weir_text arn = weir_get_text(execution, "executionArn"), id = weir_get_text(tournament, "tournamentId");
    int len = snprintf(message, sizeof(message), "the workflow of the tournament %.*s runs already: %.*s", WEIR_TEXT(id), WEIR_TEXT(arn));
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "message", (struct weir_text){message, (size_t)len});
    weir_member(json, "error", WEIR_STR("RUNNING"));
    weir_member(json, "tournamentId", id);
    weir_member(json, "executionArn", arn);
    weir_end(json);
    weir_reply_status(call, 409, json);
}

static struct weir_item *execution_new(struct weir_call *call, struct weir_text tournament_id, int64_t step_delay)
{
    char arn[ARN_MAX];
    struct weir_item *execution = weir_item(call);
    struct weir_text id = weir_id(call), region = weir_region(call), account = weir_account(call);
    int len = snprintf(arn, sizeof(arn), "arn:aws:states:%.*s:%.*s:execution:" STATE_MACHINE ":%.*s", WEIR_TEXT(region), WEIR_TEXT(account), WEIR_TEXT(id));
    if (len < 0 || (size_t)len >= sizeof(arn))
        weir_fail(call, "INTERNAL", NULL, "the names of the region and the account are too long for an ARN");
    else
        weir_item_text(execution, "executionArn", (struct weir_text){arn, (size_t)len});
    weir_item_text(execution, "executionId", id);
    weir_item_text(execution, "tournamentId", tournament_id);
    weir_item_text(execution, "status", WEIR_STR("RUNNING"));
    weir_item_text(execution, "startedAt", weir_now_iso(call));
    weir_item_integer(execution, "startedSequence", (int64_t)weir_sequence(call));
    weir_item_integer(execution, "stepDelay", step_delay);
    weir_item_integer(execution, "stepsDone", 0);
    return execution;
}

static void reply_started(struct weir_call *call, struct weir_text arn, struct weir_text tournament_id)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "executionArn", arn);
    weir_member(json, "tournamentId", tournament_id);
    weir_end(json);
    weir_reply_status(call, 202, json);
}

void cb_workflow_start(struct weir_call *call)
{
    const struct weir_item *before = cb_tournament_of_path(call);
    int64_t step_delay = weir_in_integer_or(call, "stepDelay", 0, STEP_DELAY_MAX, 0);
    if (!before || weir_failed(call))
        return;
    const struct weir_item *last = execution_get(call, weir_get_text(before, "executionId"));
    if (is_running(last)) {
        reply_running(call, before, last);
        return;
    }
    struct weir_text tournament_id = weir_get_text(before, "tournamentId");
    struct weir_item *execution = execution_new(call, tournament_id, step_delay), *tournament = copy_of(call, before);
    struct weir_text arn = weir_get_text(execution, "executionArn");
    execution_put(call, execution);
    weir_item_text(tournament, "status", WEIR_STR("started"));
    weir_item_text(tournament, "executionId", weir_get_text(execution, "executionId"));
    weir_item_text(tournament, "executionArn", arn);
    weir_put(call, &cb_tournaments, tournament);
    struct weir_json *event = event_open(call, "workflow.started", tournament_id);
    weir_member(event, "executionArn", arn);
    event_send(call, event);
    step_next(call, execution, 0);
    watch_later(call, execution, patience(execution));
    reply_started(call, arn, tournament_id);
}

/* ---- an execution, as it stands ---- */

/* The path names an execution by its id or by its whole ARN. */
static struct weir_text id_of_path(struct weir_call *call)
{
    struct weir_text id = weir_path_param(call, "id");
    if (!weir_text_starts(id, "arn:"))
        return id;
    size_t from = id.len;
    while (from && id.data[from - 1] != ':')
        from--;
    return (struct weir_text){id.data + from, id.len - from};
}

static void write_step(struct weir_json *json, const struct weir_item *execution, size_t number)
{
    const struct step *step = &steps[number];
    int64_t done = weir_get_integer(execution, "stepsDone", 0);
    const char *otherwise = is_running(execution) ? "RUNNING" : "FAILED";
    weir_object(json);
    weir_member(json, "name", weir_text_of(step->name));
    weir_member(json, "event", weir_text_of(step->event));
    weir_member(json, "status", weir_text_of((int64_t)number < done ? "SUCCEEDED" : (int64_t)number == done ? otherwise : "PENDING"));
    if ((int64_t)number < done) {
        weir_member(json, "completedAt", weir_get_text(execution, step->at));
        weir_member_integer(json, "sequence", weir_get_integer(execution, step->sequence, 0));
    }
    weir_end(json);
}

static void write_execution(struct weir_json *json, const struct weir_item *execution)
{
    weir_member(json, "executionArn", weir_get_text(execution, "executionArn"));
    weir_member(json, "executionId", weir_get_text(execution, "executionId"));
    weir_member(json, "tournamentId", weir_get_text(execution, "tournamentId"));
    weir_member(json, "status", weir_get_text(execution, "status"));
    weir_member(json, "startedAt", weir_get_text(execution, "startedAt"));
    weir_member_integer(json, "sequence", weir_get_integer(execution, "startedSequence", 0));
    if (weir_item_has(execution, "stoppedAt"))
        weir_member(json, "stoppedAt", weir_get_text(execution, "stoppedAt"));
    if (weir_item_has(execution, "cause"))
        weir_member(json, "cause", weir_get_text(execution, "cause"));
}

void cb_workflow_read(struct weir_call *call)
{
    struct weir_text id = id_of_path(call);
    const struct weir_item *execution = execution_get(call, id);
    if (!execution) {
        weir_refuse(call, 404, "NOT_FOUND", "there is no execution %.*s", id.len > CB_ID_MAX ? CB_ID_MAX : (int)id.len, id.data);
        return;
    }
    struct weir_json *json = weir_json(call);
    weir_object(json);
    write_execution(json, execution);
    weir_name(json, "steps");
    weir_array(json);
    for (size_t i = 0; i < STEPS; i++)
        write_step(json, execution, i);
    weir_end(json);
    weir_end(json);
    weir_reply(call, json);
}

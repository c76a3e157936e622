/*
 * The circuit of a bot's endpoint: after three failures in a row nobody asks it for 30 seconds; then one question may try. Its answer closes the circuit, its failure
 * opens it again.
 *
 * The server's outgoing HTTP has circuits too, per origin (net/fetch_breaker.h), but there a failure is a status or a broken connection, and a stored request
 * waits until the circuit closes. A user does not wait: who asks while the bot is down hears so at once. And here a failure is every answer that holds no
 * message. So this one counts where answers are understood, in the tick: its state is a row, exact under concurrency, and still there after a restart. A healthy endpoint has no
 * row, so an ordinary question costs one look-up.
 *
 * What was asked before the circuit opened says nothing about now: such answers are not counted. A try that is never answered does not lock the circuit: after
 * another 30 seconds the next may go.
 */
#include "conversation.h"

#define FAILURES 3
#define OPEN_MS (30 * WEIR_SECOND)

struct weir_table cv_circuits = {
    .name = "conversation-circuits-{env}",
    .hash = "endpoint",
    .hash_type = WEIR_S,
};

static struct weir_item *key_of(struct weir_call *call, struct weir_text endpoint)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "endpoint", endpoint);
    return key;
}

static void put(struct weir_call *call, struct weir_text endpoint, int64_t failures, int64_t since)
{
    struct weir_item *circuit = key_of(call, endpoint);
    weir_item_integer(circuit, "failures", failures);
    weir_item_integer(circuit, "since", since); /* epoch ms: it opened, or the try went out; 0: it is closed */
    weir_put(call, &cv_circuits, circuit);
}

static int64_t left_of(struct weir_call *call, const struct weir_item *circuit)
{
    int64_t since = circuit ? weir_get_integer(circuit, "since", 0) : 0;
    return since ? since + OPEN_MS - weir_now(call) : 0;
}

int64_t cv_circuit_left(struct weir_call *call, struct weir_text endpoint)
{
    return left_of(call, weir_get(call, &cv_circuits, key_of(call, endpoint)));
}

bool cv_circuit_allow(struct weir_call *call, struct weir_text endpoint)
{
    const struct weir_item *circuit = weir_get(call, &cv_circuits, key_of(call, endpoint));
    if (!circuit || !weir_get_integer(circuit, "since", 0))
        return true;
    if (left_of(call, circuit) > 0)
        return false;
    put(call, endpoint, weir_get_integer(circuit, "failures", FAILURES), weir_now(call));
    return true;
}

void cv_circuit_note(struct weir_call *call, struct weir_text endpoint, int64_t asked_ms, bool good)
{
    const struct weir_item *circuit = weir_get(call, &cv_circuits, key_of(call, endpoint));
    int64_t since = circuit ? weir_get_integer(circuit, "since", 0) : 0;
    int64_t failures = circuit ? weir_get_integer(circuit, "failures", 0) : 0;
    if (asked_ms < since)
        return;
    if (good && circuit)
        weir_delete(call, &cv_circuits, key_of(call, endpoint));
    if (good)
        return;
    put(call, endpoint, failures + 1, failures + 1 >= FAILURES ? weir_now(call) : 0);
    if (failures + 1 == FAILURES)
        weir_log(call, "the bot at %.*s has failed %d times in a row: it is not asked for 30 s", WEIR_TEXT(endpoint), FAILURES);
}

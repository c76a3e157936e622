/*
 * The smallest application. What is not a command comes back as it came, text or binary; join and publish reach a room:
 *
 *   > hello                                                < hello
 *   > {"action":"join","room":"tea"}                       < {"type":"ack","action":"join"}
 *   > {"action":"publish","room":"tea","data":"milk?"}     < {"type":"message","room":"tea","data":"milk?"}
 */
#include <weir/weir.h>

static void echo(struct weir_call *call)
{
    weir_reply_bytes(call, weir_body(call), weir_is_binary(call));
}

static void join(struct weir_call *call)
{
    weir_join(call, weir_in_text(call, "room", 1, 256));
    weir_ack(call);
}

static void publish(struct weir_call *call)
{
    struct weir_text room = weir_in_text(call, "room", 1, 256);
    struct weir_json *message = weir_json(call);
    weir_object(message);
    weir_member(message, "type", WEIR_STR("message"));
    weir_member(message, "room", room);
    weir_name(message, "data");
    weir_value(message, weir_in_value(call, "data", true));
    weir_end(message);
    weir_publish(call, room, message);
    weir_ack(call);
}

const struct weir_app weir_app_echo = {
    .name = "echo",
    .description = "what you say comes back; rooms for a first broadcast",
    .message_max = 16 << 20,
    .routes = (const struct weir_route[]){
        {"join", join, WEIR_PURE},
        {"publish", publish, WEIR_PURE},
        {"$default", echo, WEIR_PURE},
        {0},
    },
};

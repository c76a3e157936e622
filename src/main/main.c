/* The program weir: its applications, and the library's door. A new application in apps/ or examples/ is one row here. */
#include <weir/weir.h>

#include <stddef.h>

#define APPS(X)                                                                                              \
    X(echo)                                                                                                  \
    X(riddle_rush)                                                                                           \
    X(landing_hub)                                                                                           \
    X(clash_bot)                                                                                             \
    X(iops_dashboard)                                                                                        \
    X(conversation)                                                                                          \
    X(notes)

#define X(name) extern const struct weir_app weir_app_##name;
APPS(X)
#undef X

int main(int argc, char **argv)
{
    static const struct weir_app *const apps[] = {
#define X(name) &weir_app_##name,
        APPS(X)
#undef X
        NULL,
    };
    return weir_main(argc, argv, apps);
}

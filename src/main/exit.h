/* How the program ends, declared once: `weir --help` and docs/configuration.md list this table. A supervisor may rely on the numbers. */
#ifndef WEIR_MAIN_EXIT_H
#define WEIR_MAIN_EXIT_H

/* X(name, number, text) */
#define EXIT_TABLE(X)                                                                                        \
    X(OK, 0, "done; for `serve`: stopped in order after SIGTERM or SIGINT")                                  \
    X(FAILED, 1, "it failed for a reason that has no number of its own; standard error says why")            \
    X(USAGE, 2, "the command line is not understood")                                                        \
    X(CONFIG, 3, "the configuration has errors, or is not safe to serve")                                    \
    X(LISTEN, 4, "the address cannot be listened on")                                                        \
    X(LOCKED, 5, "another process has the data folder")                                                      \
    X(DATA, 6, "stored data is damaged or of a newer version")                                               \
    X(JOURNAL, 7, "an I/O error on the journal: nothing more was acknowledged; start again to recover")      \
    X(FORCED, 8, "a second signal ended the program before it had drained")                                  \
    X(KEY, 9, "the data folder is encrypted and the key is missing or wrong, or a key is set and it is not")    \
    X(SERVER, 10, "a server cannot be reached, or refused what the command asked it for")

enum exit_code {
#define X(name, number, text) EXIT_##name = (number),
    EXIT_TABLE(X)
#undef X
};

#endif

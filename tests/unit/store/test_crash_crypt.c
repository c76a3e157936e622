/* kill -9 of a process that writes encrypted files. */
#define FIXTURE_KEY "a key for the tables' crash test"
#include "test_crash.c"

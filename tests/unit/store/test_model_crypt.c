/* The model test over encrypted files. */
#define FIXTURE_KEY "a key for the tables' model test"
#define STEPS 30000
#include "test_model.c"

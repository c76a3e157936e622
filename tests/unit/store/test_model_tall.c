/* The model test with blocks of four: a hundred entries make a tree of several levels, so splits, empty
 * blocks and growth happen all the time. */
#define ENTRIES_MAX 4
#define BLOCKS_MAX 3
#define STEPS 40000
#include "../../../src/store/count.c"

#include "test_model.c"

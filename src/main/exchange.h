/* The files of exports and imports that a server is asked for: DynamoDB JSON in gzip with manifests, as `weir export` and `weir import` have them. */
#ifndef WEIR_MAIN_EXCHANGE_H
#define WEIR_MAIN_EXCHANGE_H

#include "tick/job.h"

extern const struct job_forms exchange_forms;

#endif

/* For people at a terminal: the addresses, and with development secrets a ready token for each role. */
#ifndef WEIR_MAIN_BANNER_H
#define WEIR_MAIN_BANNER_H

#include "main/config.h"

/* To standard error. A token is printed only when it was signed with the development secret: a real one never reaches a terminal or a log. */
void banner_print(const struct config *config, uint16_t port);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_GAP_H
#define CAIRN_COMPOSE_GAP_H

#include "initrd/compose/work.h"

/*
 * Two overlays must not share an upper layer: a mutable composition has to go before the
 * mutable one that replaces it is mounted. Between the two the base alone is seen.
 */

/*
 * Refuses (STATUS_DIFFERS) if that would have to be and was not allowed, or
 * (STATUS_FAILED) if a mount below would have no place in between.
 */
int gap_check(const struct compose_work *w);

/*
 * Makes the gap, if there has to be one. To be called when nothing is left that could
 * refuse the new composition; from the namespace of W->space, which is left for a moment.
 */
int gap_make(struct compose_work *w);

#endif

/*
 * order.h -- who waits for whom, when a workflow is used and changed at once.
 */
#ifndef WF_ORDER_H
#define WF_ORDER_H

#include "nodes/nodes.h"

/* Until the transaction ends the workflow is neither dropped nor given to
 * another owner.  What is read of it afterwards stays true.  May wait, as long
 * as lock_timeout says. */
extern void wf_order_use(int workflow);

/* Waits until nobody is in the middle of a batch with it; then it is this
 * transaction's alone. */
extern void wf_order_change(int workflow);

/* Before CREATE OR REPLACE FUNCTION and ALTER FUNCTION: waits for other DDL on
 * the same workflow.  Nothing for any other statement or function. */
extern void wf_order_ddl(Node *stmt);

#endif

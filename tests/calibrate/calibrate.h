/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daxstack calibrate: shared declarations. The computing parts of the command
 * are compiled into the test and get synthetic samples.
 */
#ifndef TEST_CALIBRATE_H
#define TEST_CALIBRATE_H

#include "../dxs_test.h"

/* Returns pseudo-random numbers, the same in each run. */
double random_unit(void);

void test_compare(void);
void test_derive(void);
void test_run(void);
void test_refuse(void);
void test_end(void);

/* Output of the last command. */
extern char out[64 * KIB];
#define RUN(...)	DXS_RUN_READ(out, sizeof(out), __VA_ARGS__)
#define SH(command)	RUN("sh", "-c", command)
#define CALIBRATE	"daxstack", "calibrate"

/* Returns the files on the stack and in the working directory. */
const char *listing(void);

#endif /* TEST_CALIBRATE_H */

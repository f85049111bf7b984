// SPDX-License-Identifier: GPL-2.0
/*
 * Two CPUs that come to the same place one after the other, some milliseconds apart: nothing goes wrong
 * as long as the first one is not held up just there.
 */
#include <linux/ktime.h>
#include <linux/processor.h>
#include <linux/semaphore.h>

void kh_race_count(unsigned int gap_us, bool late, bool safe);
int kh_race_counted(void);
bool kh_race_cross(unsigned int gap_us, bool late, bool safe);

/* The moment at which nothing may come in between. */
static void linger(void)
{
	int i;

	for (i = 0; i < 200; i++)
		cpu_relax();
}

/* By the clock: who comes late does not count how often it was held up. */
static void wait_us(unsigned int us)
{
	ktime_t end = ktime_add_us(ktime_get(), us);

	while (ktime_before(ktime_get(), end))
		cpu_relax();
}

static int kh_counter;
static DEFINE_SEMAPHORE(kh_guard, 1);

/* Counts once. Read, add and write are three steps. */
void kh_race_count(unsigned int gap_us, bool late, bool safe)
{
	int value;

	if (late)
		wait_us(gap_us);
	if (safe)
		down(&kh_guard);
	value = READ_ONCE(kh_counter);
	linger();
	WRITE_ONCE(kh_counter, value + 1);
	if (safe)
		up(&kh_guard);
}

int kh_race_counted(void)
{
	return READ_ONCE(kh_counter);
}

/* Semaphores: lockdep knows no order of them, so nothing tells of the cycle before it closes. */
static DEFINE_SEMAPHORE(kh_a, 1);
static DEFINE_SEMAPHORE(kh_b, 1);

/*
 * Takes both, the late one in the opposite order. Whether it got both; it gives up after a second, in
 * which it really was blocked.
 */
bool kh_race_cross(unsigned int gap_us, bool late, bool safe)
{
	struct semaphore *first = late && !safe ? &kh_b : &kh_a;
	struct semaphore *second = late && !safe ? &kh_a : &kh_b;
	bool got;

	if (late)
		wait_us(gap_us);
	down(first);
	linger();
	got = !down_timeout(second, HZ);
	if (got)
		up(second);
	up(first);
	return got;
}

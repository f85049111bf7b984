// SPDX-License-Identifier: GPL-2.0
/*
 * What two CPUs do to the same words, each with the operations that are meant for it and, with
 * `plain` set, without. In C: KCSAN instruments no Rust.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/processor.h>

void kh_count(unsigned int rounds, bool plain);
int kh_counted(bool plain);
unsigned int kh_own_bit(unsigned int bit, unsigned int rounds, bool plain);
void kh_count_under_bit(unsigned int rounds, bool plain);
unsigned long kh_counted_under_bit(void);
void kh_send(unsigned int rounds, bool plain);
unsigned int kh_receive(unsigned int rounds);

/* Long enough for the other CPU to come in between. */
static void linger(void)
{
	int i;

	for (i = 0; i < 20; i++)
		cpu_relax();
}

static atomic_t kh_atomic_counter;
static int kh_plain_counter;

void kh_count(unsigned int rounds, bool plain)
{
	while (rounds--) {
		if (plain) {
			int value = kh_plain_counter;

			linger();
			kh_plain_counter = value + 1;
		} else {
			atomic_inc(&kh_atomic_counter);
		}
	}
}

int kh_counted(bool plain)
{
	return plain ? READ_ONCE(kh_plain_counter) : atomic_read(&kh_atomic_counter);
}

static unsigned long kh_bits;

/* Sets and clears a bit that no other CPU touches, in a word that others do; how often it was lost. */
unsigned int kh_own_bit(unsigned int bit, unsigned int rounds, bool plain)
{
	unsigned int lost = 0;

	while (rounds--) {
		if (plain) {
			unsigned long word = READ_ONCE(kh_bits);

			linger();
			WRITE_ONCE(kh_bits, word | BIT(bit));
		} else {
			set_bit(bit, &kh_bits);
		}
		linger();
		lost += !test_bit(bit, &kh_bits);
		clear_bit(bit, &kh_bits);
	}
	return lost;
}

static unsigned long kh_bit_lock;
static unsigned long kh_guarded;

/* A bit as a lock: whoever sets it is the only one until it is cleared. */
void kh_count_under_bit(unsigned int rounds, bool plain)
{
	while (rounds--) {
		unsigned long value;

		while (!plain && test_and_set_bit_lock(0, &kh_bit_lock))
			cpu_relax();
		value = READ_ONCE(kh_guarded);
		linger();
		WRITE_ONCE(kh_guarded, value + 1);
		if (!plain)
			clear_bit_unlock(0, &kh_bit_lock);
	}
}

unsigned long kh_counted_under_bit(void)
{
	return READ_ONCE(kh_guarded);
}

static unsigned int kh_data, kh_flag, kh_ack;

static bool arrived(unsigned int *word, unsigned int value)
{
	unsigned long patience = jiffies + 5 * HZ;

	while (smp_load_acquire(word) != value) {
		if (time_after(jiffies, patience))
			return false;
		cpu_relax();
	}
	return true;
}

/* Data first, then the flag that says that it is there: with `plain`, as it would be seen without the
 * barrier between them. */
void kh_send(unsigned int rounds, bool plain)
{
	unsigned int round;

	for (round = 1; round <= rounds; round++) {
		if (plain) {
			WRITE_ONCE(kh_flag, round);
			linger();
			WRITE_ONCE(kh_data, round);
		} else {
			WRITE_ONCE(kh_data, round);
			smp_store_release(&kh_flag, round);
		}
		if (!arrived(&kh_ack, round))
			return;
	}
}

/* How many messages were not whole, those that never came included. */
unsigned int kh_receive(unsigned int rounds)
{
	unsigned int round, torn = 0;

	for (round = 1; round <= rounds; round++) {
		if (!arrived(&kh_flag, round))
			return torn + rounds - round + 1;
		torn += READ_ONCE(kh_data) != round;
		smp_store_release(&kh_ack, round);
	}
	return torn;
}

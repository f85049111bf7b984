// SPDX-License-Identifier: GPL-2.0
/*
 * The bugs that safe Rust cannot have, one function each. With `repair` set, the same is done right.
 */
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rwlock.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

void kh_irq_unsafe(bool repair);
void kh_irq_order(bool repair);
void kh_recursive(bool repair);
void kh_sleep_in_spinlock(bool repair);
void kh_unlock_unheld(bool repair);
bool kh_free_held(bool repair);
void kh_rcu_dereference(bool repair);
void kh_rcu_sleep(bool repair);
void kh_rcu_stall(unsigned int seconds, bool repair);
void kh_rwlock_order(bool repair);
unsigned int kh_percpu_preemptible(bool repair);
unsigned int kh_refcount_underflow(bool repair);
unsigned int kh_refcount_saturation(bool repair);

/* Runs a function in hard interrupt context, on this CPU, and waits for its end. */
static void run_in_hardirq(void (*run)(struct irq_work *))
{
	struct irq_work work = IRQ_WORK_INIT_HARD(run);

	irq_work_queue(&work);
	irq_work_sync(&work);
}

/* Raw ones: interrupts may take no others where spinlocks may sleep (PREEMPT_RT). */
static DEFINE_RAW_SPINLOCK(kh_irq_lock);

static void take_irq_lock(struct irq_work *work)
{
	raw_spin_lock(&kh_irq_lock);
	raw_spin_unlock(&kh_irq_lock);
}

/* A lock that an interrupt takes is taken with interrupts on. */
void kh_irq_unsafe(bool repair)
{
	unsigned long flags;

	run_in_hardirq(take_irq_lock);
	if (repair) {
		raw_spin_lock_irqsave(&kh_irq_lock, flags);
		raw_spin_unlock_irqrestore(&kh_irq_lock, flags);
	} else {
		raw_spin_lock(&kh_irq_lock);
		raw_spin_unlock(&kh_irq_lock);
	}
}

static DEFINE_RAW_SPINLOCK(kh_safe_lock);
static DEFINE_RAW_SPINLOCK(kh_unsafe_lock);

static void take_safe_lock(struct irq_work *work)
{
	raw_spin_lock(&kh_safe_lock);
	raw_spin_unlock(&kh_safe_lock);
}

/* With an interrupt's lock held, one is taken that others hold with interrupts on. */
void kh_irq_order(bool repair)
{
	unsigned long flags;

	run_in_hardirq(take_safe_lock);
	if (repair) {
		raw_spin_lock_irqsave(&kh_unsafe_lock, flags);
		raw_spin_unlock_irqrestore(&kh_unsafe_lock, flags);
	} else {
		raw_spin_lock(&kh_unsafe_lock);
		raw_spin_unlock(&kh_unsafe_lock);
	}
	raw_spin_lock_irqsave(&kh_safe_lock, flags);
	raw_spin_lock(&kh_unsafe_lock);
	raw_spin_unlock(&kh_unsafe_lock);
	raw_spin_unlock_irqrestore(&kh_safe_lock, flags);
}

/* Two locks of one class, one inside the other: nothing says in which order. */
void kh_recursive(bool repair)
{
	struct mutex locks[2];
	int i;

	for (i = 0; i < 2; i++)
		mutex_init(&locks[i]);
	mutex_lock(&locks[0]);
	mutex_lock_nested(&locks[1], repair ? SINGLE_DEPTH_NESTING : 0);
	mutex_unlock(&locks[1]);
	mutex_unlock(&locks[0]);
	for (i = 0; i < 2; i++)
		mutex_destroy(&locks[i]);
}

static DEFINE_SPINLOCK(kh_held_lock);

/* What may sleep, with a spinlock held. It does not sleep really: the machine has to live on. */
void kh_sleep_in_spinlock(bool repair)
{
	spin_lock(&kh_held_lock);
	if (!repair)
		might_sleep();
	spin_unlock(&kh_held_lock);
	if (repair)
		might_sleep();
}

static DEFINE_MUTEX(kh_unheld);

/* A lock is given back that nobody took. */
void kh_unlock_unheld(bool repair)
{
	if (repair)
		mutex_lock(&kh_unheld);
	mutex_unlock(&kh_unheld);
}

/* The memory of a lock is given back while it is held. */
bool kh_free_held(bool repair)
{
	struct mutex *lock = kmalloc(sizeof(*lock), GFP_KERNEL);

	if (!lock)
		return false;
	mutex_init(lock);
	mutex_lock(lock);
	if (repair)
		mutex_unlock(lock);
	kfree(lock);
	return true;
}

static int __rcu *kh_pointer;

/* A pointer that RCU guards is followed outside of a read section. */
void kh_rcu_dereference(bool repair)
{
	if (repair)
		rcu_read_lock();
	(void)rcu_dereference(kh_pointer);
	if (repair)
		rcu_read_unlock();
}

/* What may sleep, in a read section. */
void kh_rcu_sleep(bool repair)
{
	rcu_read_lock();
	if (!repair)
		might_sleep();
	rcu_read_unlock();
	if (repair)
		might_sleep();
}

/* A read section, on a CPU that does nothing else, for longer than a grace period may take. */
void kh_rcu_stall(unsigned int seconds, bool repair)
{
	/* By the clock: on a busy host, an emulated CPU's delays take many times as long. */
	ktime_t end = ktime_add_ms(ktime_get(), seconds * 1000ULL);

	preempt_disable();
	rcu_read_lock();
	while (ktime_before(ktime_get(), end)) {
		mdelay(10);
		if (repair) {
			rcu_read_unlock();
			preempt_enable();
			cond_resched();
			preempt_disable();
			rcu_read_lock();
		}
	}
	rcu_read_unlock();
	preempt_enable();
}

static DEFINE_RWLOCK(kh_rwlock);
static DEFINE_SPINLOCK(kh_other);

/* A reader takes another lock, whose holder wants to write. */
void kh_rwlock_order(bool repair)
{
	read_lock(&kh_rwlock);
	spin_lock(&kh_other);
	spin_unlock(&kh_other);
	read_unlock(&kh_rwlock);

	if (repair) {
		write_lock(&kh_rwlock);
		spin_lock(&kh_other);
		spin_unlock(&kh_other);
		write_unlock(&kh_rwlock);
	} else {
		spin_lock(&kh_other);
		write_lock(&kh_rwlock);
		write_unlock(&kh_rwlock);
		spin_unlock(&kh_other);
	}
}

static DEFINE_PER_CPU(unsigned int, kh_counter);

/* A CPU's own data, by a task that may be moved to another CPU in between. */
unsigned int kh_percpu_preemptible(bool repair)
{
	unsigned int count;

	if (repair)
		preempt_disable();
	count = ++*this_cpu_ptr(&kh_counter);
	if (repair)
		preempt_enable();
	return count;
}

/* One reference is given back twice. Gives what is left. */
unsigned int kh_refcount_underflow(bool repair)
{
	refcount_t count = REFCOUNT_INIT(1);
	bool last = refcount_dec_and_test(&count);

	if (!repair)
		last |= refcount_dec_and_test(&count);
	return last ? refcount_read(&count) : 1;
}

/* More references than can be counted. Gives how many there are then. */
unsigned int kh_refcount_saturation(bool repair)
{
	refcount_t count = REFCOUNT_INIT(INT_MAX);

	if (!repair)
		refcount_inc(&count);
	return refcount_read(&count);
}

// SPDX-License-Identifier: GPL-2.0
/* Locks, most of which Rust has not. */
#include <linux/mutex.h>
#include <linux/percpu-rwsem.h>
#include <linux/rtmutex.h>
#include <linux/rwlock.h>
#include <linux/semaphore.h>

void kh_mutex_lock(void);
void kh_rt_mutex_lock(void);
void kh_down(void);
void kh_percpu_read(void);
void kh_percpu_write(void);
void kh_rwlock_read(void);
void kh_rwlock_write(void);

static DEFINE_MUTEX(kh_mutex);
static DEFINE_RT_MUTEX(kh_rt_mutex);
static DEFINE_SEMAPHORE(kh_semaphore, 1);
DEFINE_STATIC_PERCPU_RWSEM(kh_percpu_rwsem);
static DEFINE_RWLOCK(kh_rwlock);

void kh_mutex_lock(void)
{
	mutex_lock(&kh_mutex);
}

void kh_rt_mutex_lock(void)
{
	rt_mutex_lock(&kh_rt_mutex);
}

void kh_down(void)
{
	down(&kh_semaphore);
}

void kh_percpu_read(void)
{
	percpu_down_read(&kh_percpu_rwsem);
}

void kh_percpu_write(void)
{
	percpu_down_write(&kh_percpu_rwsem);
}

void kh_rwlock_read(void)
{
	read_lock(&kh_rwlock);
}

void kh_rwlock_write(void)
{
	write_lock(&kh_rwlock);
}

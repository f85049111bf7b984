// SPDX-License-Identifier: GPL-2.0
/* The C half of the support crate: macros and inline functions that bindgen does not see. */
#include <linux/cpumask.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/smp.h>

/* Tells the harness that the module takes this crate's parameters. */
MODULE_INFO(kharness, "1");

u64 kharness_virt_to_phys(const void *at);
unsigned int kharness_cpus_online(void);
unsigned int kharness_this_cpu(void);
struct task_struct *kharness_thread(int (*run)(void *), void *data, int cpu, const char *name);
int kharness_join(struct task_struct *task);

u64 kharness_virt_to_phys(const void *at)
{
	return virt_to_phys((void *)at);
}

unsigned int kharness_cpus_online(void)
{
	return num_online_cpus();
}

unsigned int kharness_this_cpu(void)
{
	return raw_smp_processor_id();
}

/* A running thread, with a reference for whoever joins it; bound to a CPU unless cpu < 0. */
struct task_struct *kharness_thread(int (*run)(void *), void *data, int cpu, const char *name)
{
	struct task_struct *task = kthread_create(run, data, "%s", name);

	if (IS_ERR(task))
		return task;
	if (cpu >= 0)
		kthread_bind(task, cpu);
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

/* Waits for the end of a thread whose function has begun, and drops the reference. */
int kharness_join(struct task_struct *task)
{
	int result = kthread_stop(task);

	put_task_struct(task);
	return result;
}

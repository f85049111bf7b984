// SPDX-License-Identifier: GPL-2.0
/*
 * One wrong thing for each word written to /sys/kernel/debug/provoke, for kernels that have no LKDTM.
 * Every fault stands in a function of its own name, so a report must blame that function.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(mutex);
static volatile int zero;
static struct dentry *file;

static noinline void null_deref(void) { *(volatile int *)NULL = 1; }
static noinline void bad_address(void) { *(volatile int *)0xffffffc0dead0000UL = 1; }
static noinline void user_access(void) { *(volatile int *)0x10000UL = 1; }
static noinline void jump_null(void) { void (*volatile null)(void) = NULL; null(); }
static noinline void bug_on(void) { BUG_ON(!zero); }
static noinline void warn_on(void) { WARN_ON(!zero); }
static noinline void warn_text(void) { WARN(1, "provoked value %d\n", 3); }
static noinline void give_up(void) { panic("provoked"); }
static noinline void busy(void) { preempt_disable(); mdelay(30000); preempt_enable(); }
static noinline void busy_without_irqs(void) { local_irq_disable(); mdelay(30000); local_irq_enable(); }
static noinline void hold_rcu(void) { rcu_read_lock(); mdelay(30000); rcu_read_unlock(); }
static noinline void sleep_in_atomic(void) { spin_lock(&spin); msleep(1); spin_unlock(&spin); }
static noinline void overflow_stack(int depth)
{
	volatile char frame[512];

	frame[0] = depth;
	overflow_stack(depth + frame[0]);
	frame[1] = depth;
}

static noinline void add_twice(void)
{
	static LIST_HEAD(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_add(&entry, &head);
}

static noinline void delete_twice(void)
{
	static LIST_HEAD(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
}

static noinline void count_from_zero(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static noinline void count_below_zero(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	refcount_dec_and_test(&count);
	refcount_dec_and_test(&count);
}

static noinline void copy_too_much(char __user *to)
{
	char *from = kmalloc(32, GFP_KERNEL);
	volatile size_t size = 256;

	if (copy_to_user(to, from, size))
		pr_info("copy refused\n");
	kfree(from);
}

static noinline void write_behind(void)
{
	char *object = kmalloc(60, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	object[64] = 1;
	kfree(object);
}

static noinline void write_freed(void)
{
	char *object = kmalloc(60, GFP_KERNEL);
	int i;

	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	object[20] = 1;
	for (i = 0; i < 200; i++)
		*(volatile char *)kmalloc(60, GFP_KERNEL) = 1;
}

static noinline void free_twice(void)
{
	char *object = kmalloc(60, GFP_KERNEL);

	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	kfree(object);
}

static noinline void exhaust_pages(void)
{
	int i;

	for (i = 0; i < 3000; i++)
		if (!alloc_pages(GFP_KERNEL | __GFP_NORETRY, 8))
			break;
}

static int take_mutex(void *unused)
{
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	return 0;
}

static noinline void hang(void)
{
	mutex_lock(&mutex);
	kthread_run(take_mutex, NULL, "provoked");
	msleep(20000);
	mutex_unlock(&mutex);
}

static const struct {
	const char *word;
	void (*act)(void);
} acts[] = {
#define ACT(name) { #name, name }
	ACT(null_deref), ACT(bad_address), ACT(user_access), ACT(jump_null), ACT(bug_on), ACT(warn_on), ACT(warn_text),
	ACT(give_up), ACT(busy), ACT(busy_without_irqs), ACT(hold_rcu), ACT(sleep_in_atomic), ACT(add_twice),
	ACT(delete_twice), ACT(count_from_zero), ACT(count_below_zero), ACT(write_behind), ACT(write_freed),
	ACT(free_twice), ACT(exhaust_pages), ACT(hang),
};

static ssize_t provoke(struct file *file, const char __user *user, size_t size, loff_t *offset)
{
	char word[32] = "";
	int i;

	if (size >= sizeof(word) || copy_from_user(word, user, size))
		return -EINVAL;
	strim(word);
	if (!strcmp(word, "overflow_stack"))
		overflow_stack(1);
	if (!strcmp(word, "copy_too_much"))
		copy_too_much((char __user *)user);
	for (i = 0; i < ARRAY_SIZE(acts); i++)
		if (!strcmp(word, acts[i].word))
			acts[i].act();
	return size;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .write = provoke };

static int __init provoke_init(void)
{
	file = debugfs_create_file("provoke", 0200, NULL, NULL, &operations);
	return 0;
}

static void __exit provoke_exit(void)
{
	debugfs_remove(file);
}

module_init(provoke_init);
module_exit(provoke_exit);
MODULE_DESCRIPTION("Wrong things on demand");
MODULE_LICENSE("GPL");

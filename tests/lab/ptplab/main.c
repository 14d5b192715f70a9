// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Parameters, and /sys/kernel/debug/ptplab:
 *
 *	truth	a line per device, "lab0 <PHC - truth>", then
 *		"realtime <CLOCK_REALTIME - truth>", all at one instant, in
 *		2^-10 ns
 *	step	"<device number> <ns>": moves its PHC behind everyone's back
 *	remove	"<device number>": takes its PHC away, as hot-unplugging does
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "ptplab.h"

static unsigned int count = 2;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "devices, 1 to 8");

static int clock_of[LAB_MAX_DEVICES] = { 0, 1, 2, 3, 4, 5, 6, 7 };
module_param_array(clock_of, int, NULL, 0444);
MODULE_PARM_DESC(clock_of, "the device, itself or an earlier one, whose PHC each has");

int lab_drift_ppb[LAB_MAX_DEVICES];
module_param_array_named(drift_ppb, lab_drift_ppb, int, NULL, 0644);
MODULE_PARM_DESC(drift_ppb, "error of each device's oscillator, where its PHC is its own");

int lab_delay_ns[LAB_MAX_DEVICES] = { [0 ... LAB_MAX_DEVICES - 1] = 5000 };
module_param_array_named(delay_ns, lab_delay_ns, int, NULL, 0644);
MODULE_PARM_DESC(delay_ns, "how long the frames of each device travel");

int lab_jitter_ns;
module_param_named(jitter_ns, lab_jitter_ns, int, 0644);
MODULE_PARM_DESC(jitter_ns, "and how much longer at random, up to");

int lab_tx_stamp_loss;
module_param_named(tx_stamp_loss, lab_tx_stamp_loss, int, 0644);
MODULE_PARM_DESC(tx_stamp_loss, "one TX stamp in so many is lost; 0: none");

int lab_rx_stamp_loss;
module_param_named(rx_stamp_loss, lab_rx_stamp_loss, int, 0644);
MODULE_PARM_DESC(rx_stamp_loss, "one RX stamp in so many is lost; 0: none");

int lab_frame_loss;
module_param_named(frame_loss, lab_frame_loss, int, 0644);
MODULE_PARM_DESC(frame_loss, "one frame in so many is lost; 0: none");

int lab_cross = LAB_CROSS_EXTENDED;
module_param_named(cross, lab_cross, int, 0444);
MODULE_PARM_DESC(cross, "cross-stamps: 0 plain, 1 extended, 2 precise");

bool lab_metadata = true;
module_param_named(metadata, lab_metadata, bool, 0444);
MODULE_PARM_DESC(metadata, "XDP programs can read RX stamps");

bool lab_reset_on_attach;
module_param_named(reset_on_attach, lab_reset_on_attach, bool, 0644);
MODULE_PARM_DESC(reset_on_attach, "attaching XDP resets the NIC, as igb does");

struct lab_device *lab_devices[LAB_MAX_DEVICES];
static struct dentry *directory;
static u64 epoch;	/* truth minus raw */

u64 lab_truth(u64 raw)
{
	return raw + epoch;
}

static int truth_show(struct seq_file *file, void *unused)
{
	struct system_time_snapshot now;
	unsigned int i;
	u64 raw;

	ktime_get_snapshot(&now);
	raw = ktime_to_ns(now.raw);
	for (i = 0; i < count; i++)
		seq_printf(file, "lab%u %lld\n", i,
			   lab_clock_error(lab_devices[i]->clock, raw));
	seq_printf(file, "realtime %lld\n",
		   1024 * (s64)(ktime_to_ns(now.real) - lab_truth(raw)));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(truth);

/* Parses "<device number> [<number>]" as written to a file */
static ssize_t command(const char __user *buffer, size_t size,
		       struct lab_device **device, s64 *number)
{
	char text[48];
	unsigned int index;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buffer, size))
		return -EFAULT;
	text[size] = '\0';
	*number = 0;
	if (sscanf(text, "%u %lld", &index, number) < 1 || index >= count)
		return -EINVAL;
	*device = lab_devices[index];
	return 0;
}

static ssize_t step_write(struct file *file, const char __user *buffer,
			  size_t size, loff_t *position)
{
	struct lab_device *device;
	s64 by;
	ssize_t error = command(buffer, size, &device, &by);

	if (error)
		return error;
	lab_clock_step(device->clock, by);
	return size;
}

static const struct file_operations step_fops = {
	.owner = THIS_MODULE,
	.write = step_write,
};

static ssize_t remove_write(struct file *file, const char __user *buffer,
			    size_t size, loff_t *position)
{
	struct lab_device *device;
	s64 unused;
	ssize_t error = command(buffer, size, &device, &unused);

	if (error)
		return error;
	lab_clock_unregister(device->clock);
	return size;
}

static const struct file_operations remove_fops = {
	.owner = THIS_MODULE,
	.write = remove_write,
};

/* Undoes lab_init(), however far it came */
static void tear_down(void)
{
	unsigned int i;

	debugfs_remove_recursive(directory);
	/* all off the net first: no frame reaches a device that is gone */
	for (i = 0; i < LAB_MAX_DEVICES; i++)
		if (lab_devices[i])
			lab_device_unregister(lab_devices[i]);
	for (i = 0; i < LAB_MAX_DEVICES; i++)
		if (lab_devices[i])
			lab_device_destroy(lab_devices[i]);
}

static int __init lab_init(void)
{
	unsigned int i;
	int error;

	if (count < 1 || count > LAB_MAX_DEVICES)
		return -EINVAL;
	for (i = 0; i < count; i++)
		if (clock_of[i] < 0 || clock_of[i] > i ||
		    clock_of[clock_of[i]] != clock_of[i])
			return -EINVAL;
	epoch = ktime_get_real_ns() - ktime_get_raw_ns();

	for (i = 0; i < count; i++) {
		struct lab_clock *clock = NULL;
		struct lab_device *device;

		if (clock_of[i] != i)
			clock = &lab_devices[clock_of[i]]->own_clock;
		device = lab_device_create(i, clock);
		if (IS_ERR(device)) {
			error = PTR_ERR(device);
			goto fail;
		}
		lab_devices[i] = device;
	}
	for (i = 0; i < count; i++) {
		error = lab_device_register(lab_devices[i]);
		if (error)
			goto fail;
	}
	directory = debugfs_create_dir("ptplab", NULL);
	debugfs_create_file("truth", 0444, directory, NULL, &truth_fops);
	debugfs_create_file("step", 0200, directory, NULL, &step_fops);
	debugfs_create_file("remove", 0200, directory, NULL, &remove_fops);
	return 0;

fail:
	tear_down();
	return error;
}

static void __exit lab_exit(void)
{
	tear_down();
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_DESCRIPTION("Network devices with PTP hardware clocks, for tests");
MODULE_LICENSE("Dual MIT/GPL");

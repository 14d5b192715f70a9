/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ptplab: network devices with PTP hardware clocks at one Ethernet switch, for
 * tests on machines that have none.
 *
 * Time is CLOCK_MONOTONIC_RAW ("raw" below); the truth that everything is
 * compared with is raw plus what CLOCK_REALTIME was ahead of it at load time.
 * A clock is a function of raw alone, so a stamp is exact: it is the clock's
 * reading at an instant that the wire computes, not one at which code runs.
 */
#ifndef PTPLAB_H
#define PTPLAB_H

#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/xdp.h>

#define LAB_MAX_DEVICES	8
/* Frame, headroom and tail fit into one page */
#define LAB_MAX_MTU	2900

/* How a clock is compared with the system clock, by what the driver has */
enum lab_cross {
	LAB_CROSS_PLAIN,
	LAB_CROSS_EXTENDED,
	LAB_CROSS_PRECISE,
};

struct lab_clock {
	struct ptp_clock_info info;
	struct ptp_clock *ptp;		/* NULL once it was taken away */
	unsigned int index;
	spinlock_t lock;		/* of all below */
	u64 raw;			/* when the following was true */
	u64 ns;
	u32 fraction;			/* of a nanosecond, 2^-32 */
	long scaled_ppm;		/* adjustment */
	int drift_ppb;			/* the oscillator's error */
	s64 rate;			/* both together, 2^-48 ns per ns */
};

/* A frame's RX stamp, in skb->cb on its way */
struct lab_stamp {
	u64 ns;
	bool valid;
};

struct lab_device {
	struct net_device *net;
	struct lab_clock own_clock;	/* not registered if another's is used */
	struct lab_clock *clock;	/* as ports of one NIC share theirs */
	unsigned int index;
	struct kernel_hwtstamp_config stamping;
	struct napi_struct napi;
	struct sk_buff_head arrived;	/* frames that wait for napi */
	struct page_pool *pages;
	struct xdp_rxq_info rxq;
	struct bpf_prog __rcu *program;
	struct delayed_work reset;	/* the link comes back */
	atomic_t tx_stamps, rx_stamps, frames;	/* counted for the faults */
};

/* main.c: all devices, what can be set, and the truth */
extern struct lab_device *lab_devices[LAB_MAX_DEVICES];
extern int lab_drift_ppb[LAB_MAX_DEVICES];
extern int lab_delay_ns[LAB_MAX_DEVICES];
extern int lab_jitter_ns;
extern int lab_tx_stamp_loss;
extern int lab_rx_stamp_loss;
extern int lab_frame_loss;
extern int lab_cross;
extern bool lab_metadata;
extern bool lab_reset_on_attach;
u64 lab_truth(u64 raw);

/* clock.c */
int lab_clock_register(struct lab_clock *clock, unsigned int index);
void lab_clock_unregister(struct lab_clock *clock);
u64 lab_clock_read(struct lab_clock *clock, u64 raw);
s64 lab_clock_error(struct lab_clock *clock, u64 raw);
void lab_clock_step(struct lab_clock *clock, s64 by);
void lab_clock_reset(struct lab_clock *clock);

/* frames.c */
extern const struct xdp_metadata_ops lab_metadata_ops;
netdev_tx_t lab_start_xmit(struct sk_buff *skb, struct net_device *net);
int lab_xdp_xmit(struct net_device *net, int count, struct xdp_frame **frames,
		 u32 flags);
int lab_poll(struct napi_struct *napi, int budget);

/* device.c */
struct lab_device *lab_device_create(unsigned int index,
				     struct lab_clock *clock);
int lab_device_register(struct lab_device *device);
void lab_device_unregister(struct lab_device *device);
void lab_device_destroy(struct lab_device *device);

#endif

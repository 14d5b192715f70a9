// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* PTP hardware clocks that are functions of CLOCK_MONOTONIC_RAW. */
#include <linux/clocksource_ids.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/timekeeping.h>

#include "ptplab.h"

/* What Intel's NICs can do */
#define MAX_ADJUSTMENT_PPB	62499999
/* The product of elapsed time and rate fits 64 bits for this long */
#define LONGEST_STRETCH		(10ULL * NSEC_PER_SEC)

/* scaled_ppm counts 2^-16 ppm, the rate 2^-48 */
static s64 rate_of(long scaled_ppm, int drift_ppb)
{
	/* both in 2^-16 ppb */
	s64 sum = (s64)scaled_ppm * 1000 + (s64)drift_ppb * 65536;
	u64 size = mul_u64_u64_div_u64(abs(sum), 1ULL << 32, NSEC_PER_SEC);

	return sum < 0 ? -(s64)size : (s64)size;
}

/* Runs the clock on to @raw */
static void advance(struct lab_clock *clock, u64 raw)
{
	while (raw != clock->raw) {
		u64 elapsed = min(raw - clock->raw, LONGEST_STRETCH);
		/* 2^-32 ns */
		u64 size = mul_u64_u64_shr(elapsed, abs(clock->rate), 16);
		s64 gained = clock->rate < 0 ? -(s64)size : (s64)size;
		s64 fraction = (s64)clock->fraction + gained;

		clock->ns += elapsed + (fraction >> 32);
		clock->fraction = lower_32_bits(fraction);
		clock->raw += elapsed;
	}
}

/* To now; returns the raw time that it is */
static u64 advance_to_now(struct lab_clock *clock)
{
	u64 raw = ktime_get_raw_ns();

	/* another CPU may have been here an instant ago */
	if (raw > clock->raw)
		advance(clock, raw);
	return raw;
}

/*
 * The reading at @raw, which is within seconds of now, before or after; what is
 * beyond whole ns goes to @fraction, 2^-32 ns, unless it is NULL
 */
static u64 read_clock(struct lab_clock *clock, u64 raw, u32 *fraction)
{
	int drift = READ_ONCE(lab_drift_ppb[clock->index]);
	unsigned long flags;
	s64 elapsed, beyond;
	u64 size, ns;

	spin_lock_irqsave(&clock->lock, flags);
	if (drift != clock->drift_ppb) {
		advance_to_now(clock);
		clock->drift_ppb = drift;
		clock->rate = rate_of(clock->scaled_ppm, drift);
	}
	if ((s64)(raw - clock->raw) > (s64)LONGEST_STRETCH)
		advance_to_now(clock);
	elapsed = raw - clock->raw;
	size = mul_u64_u64_shr(abs(elapsed), abs(clock->rate), 16);
	if ((elapsed < 0) != (clock->rate < 0))
		size = -size;
	beyond = clock->fraction + size;
	ns = clock->ns + elapsed + (beyond >> 32);
	spin_unlock_irqrestore(&clock->lock, flags);
	if (fraction)
		*fraction = lower_32_bits(beyond);
	return ns;
}

/* What the clock reads, so what a stamp says: whole ns */
u64 lab_clock_read(struct lab_clock *clock, u64 raw)
{
	return read_clock(clock, raw, NULL);
}

/* How far it is ahead of the truth at @raw, 2^-10 ns */
s64 lab_clock_error(struct lab_clock *clock, u64 raw)
{
	u32 fraction;
	s64 ns = read_clock(clock, raw, &fraction) - lab_truth(raw);

	return ns * 1024 + (fraction >> 22);
}

void lab_clock_step(struct lab_clock *clock, s64 by)
{
	unsigned long flags;

	spin_lock_irqsave(&clock->lock, flags);
	clock->ns += by;
	spin_unlock_irqrestore(&clock->lock, flags);
}

/*
 * What a reset of the NIC does: system time, nominal rate, and nobody knows;
 * the kernel goes on to report the adjustment that was set before.
 */
void lab_clock_reset(struct lab_clock *clock)
{
	unsigned long flags;

	spin_lock_irqsave(&clock->lock, flags);
	clock->raw = ktime_get_raw_ns();
	clock->ns = ktime_get_real_ns();
	clock->fraction = 0;
	clock->scaled_ppm = 0;
	clock->rate = rate_of(0, clock->drift_ppb);
	spin_unlock_irqrestore(&clock->lock, flags);
}

static struct lab_clock *of(struct ptp_clock_info *info)
{
	return container_of(info, struct lab_clock, info);
}

static int adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	struct lab_clock *clock = of(info);
	unsigned long flags;

	spin_lock_irqsave(&clock->lock, flags);
	advance_to_now(clock);
	clock->scaled_ppm = scaled_ppm;
	clock->rate = rate_of(scaled_ppm, clock->drift_ppb);
	spin_unlock_irqrestore(&clock->lock, flags);
	return 0;
}

static int adjtime(struct ptp_clock_info *info, s64 by)
{
	lab_clock_step(of(info), by);
	return 0;
}

static int gettimex(struct ptp_clock_info *info, struct timespec64 *time,
		    struct ptp_system_timestamp *around)
{
	u64 raw;

	ptp_read_system_prets(around);
	raw = ktime_get_raw_ns();
	ptp_read_system_postts(around);
	*time = ns_to_timespec64(lab_clock_read(of(info), raw));
	return 0;
}

static int gettime(struct ptp_clock_info *info, struct timespec64 *time)
{
	*time = ns_to_timespec64(lab_clock_read(of(info), ktime_get_raw_ns()));
	return 0;
}

static int settime(struct ptp_clock_info *info, const struct timespec64 *time)
{
	struct lab_clock *clock = of(info);
	unsigned long flags;

	spin_lock_irqsave(&clock->lock, flags);
	clock->raw = ktime_get_raw_ns();
	clock->ns = timespec64_to_ns(time);
	clock->fraction = 0;
	spin_unlock_irqrestore(&clock->lock, flags);
	return 0;
}

/* All clocks of the system at one reading of its counter */
static int getcrosststamp(struct ptp_clock_info *info,
			  struct system_device_crosststamp *cross)
{
	struct system_time_snapshot now;

	ktime_get_snapshot(&now);
	cross->device = ns_to_ktime(lab_clock_read(of(info),
						   ktime_to_ns(now.raw)));
	cross->sys_realtime = now.real;
	cross->sys_monoraw = now.raw;
	return 0;
}

static int enable(struct ptp_clock_info *info, struct ptp_clock_request *what,
		  int on)
{
	return -EOPNOTSUPP;
}

int lab_clock_register(struct lab_clock *clock, unsigned int index)
{
	struct ptp_clock *ptp;

	spin_lock_init(&clock->lock);
	clock->index = index;
	clock->drift_ppb = lab_drift_ppb[index];
	clock->rate = rate_of(0, clock->drift_ppb);
	clock->raw = ktime_get_raw_ns();
	clock->ns = lab_truth(clock->raw);
	clock->info = (struct ptp_clock_info) {
		.owner = THIS_MODULE,
		.name = "ptplab",
		.max_adj = MAX_ADJUSTMENT_PPB,
		.adjfine = adjfine,
		.adjtime = adjtime,
		.settime64 = settime,
		.enable = enable,
	};
	switch (lab_cross) {
	case LAB_CROSS_PRECISE:
		clock->info.getcrosststamp = getcrosststamp;
		fallthrough;
	case LAB_CROSS_EXTENDED:
		clock->info.gettimex64 = gettimex;
		break;
	default:
		clock->info.gettime64 = gettime;
	}

	ptp = ptp_clock_register(&clock->info, NULL);
	if (IS_ERR_OR_NULL(ptp))
		return ptp ? PTR_ERR(ptp) : -EOPNOTSUPP;
	clock->ptp = ptp;
	return 0;
}

void lab_clock_unregister(struct lab_clock *clock)
{
	struct ptp_clock *ptp = xchg(&clock->ptp, NULL);

	if (ptp)
		ptp_clock_unregister(ptp);
}

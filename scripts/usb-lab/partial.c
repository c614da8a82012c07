/* partial ID OFFSET LENGTH - writes a part of an object of the first MTP device to
 * standard output, as libmtp reads it. libmtp's tools have no command for that.
 * The library is loaded when it runs, so that building needs none of its files;
 * the five functions used have kept their signatures since libmtp 1.1.0. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	void *library = dlopen("libmtp.so.9", RTLD_NOW);
	if (argc != 4 || !library) {
		fprintf(stderr, "partial: %s\n", library ? "ID OFFSET LENGTH" : dlerror());
		return 2;
	}
	void (*init)(void) = (void (*)(void))dlsym(library, "LIBMTP_Init");
	int (*detect)(void **, int *) = (int (*)(void **, int *))dlsym(library, "LIBMTP_Detect_Raw_Devices");
	void *(*open)(void *) = (void *(*)(void *))dlsym(library, "LIBMTP_Open_Raw_Device_Uncached");
	int (*part)(void *, uint32_t, uint64_t, uint32_t, unsigned char **, unsigned int *) =
		(int (*)(void *, uint32_t, uint64_t, uint32_t, unsigned char **, unsigned int *))dlsym(library, "LIBMTP_GetPartialObject");
	void (*release)(void *) = (void (*)(void *))dlsym(library, "LIBMTP_Release_Device");
	if (!init || !detect || !open || !part || !release) {
		fprintf(stderr, "partial: %s\n", dlerror());
		return 2;
	}
	init();
	/* A device that libmtp opens with its cache has sizes of 32 bits only, and it reads
	 * nothing beyond what it takes for the end. */
	void *list = NULL;
	int count = 0;
	void *device = detect(&list, &count) == 0 && count > 0 ? open(list) : NULL;
	if (!device) {
		fprintf(stderr, "partial: no device\n");
		return 1;
	}
	uint64_t offset = strtoull(argv[2], NULL, 10);
	uint64_t left = strtoull(argv[3], NULL, 10);
	int status = 0;
	while (left > 0) {
		unsigned char *data = NULL;
		unsigned int got = 0;
		uint32_t want = left > 1048576 ? 1048576 : (uint32_t)left;
		if (part(device, (uint32_t)strtoul(argv[1], NULL, 10), offset, want, &data, &got) != 0 || got == 0 || got > want) {
			fprintf(stderr, "partial: reading %u bytes at %llu failed, %u came\n", want, (unsigned long long)offset, got);
			status = 1;
			break;
		}
		if (fwrite(data, 1, got, stdout) != got)
			status = 1;
		free(data);
		offset += got;
		left -= got;
	}
	release(device);
	return fflush(stdout) != 0 || status;
}

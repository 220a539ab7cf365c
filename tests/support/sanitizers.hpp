// SPDX-License-Identifier: BSL-1.0
// PARTYWALL_TEST_SANITIZED: built with AddressSanitizer or ThreadSanitizer, which watch every access
// and keep what was freed. For code that cannot be built so; tests ask sanitized().
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PARTYWALL_TEST_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PARTYWALL_TEST_SANITIZED 1
#endif

// D: what the descriptor promises. No target needed.
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>

#include "tests/contract/contract_fixture.hpp"

namespace fanout::contract {
namespace {

bool parses_as(const fanout_option_spec& option, const std::string& text) {
    switch (option.type) {
        case FANOUT_OPTION_INTEGER:
        case FANOUT_OPTION_SIZE:
            return !text.empty() &&
                   text.find_first_not_of("0123456789", text[0] == '-') == std::string::npos;
        case FANOUT_OPTION_BOOLEAN:
            return text == "true" || text == "false";
        case FANOUT_OPTION_ENUM: {
            std::istringstream choices(option.choices);
            for (std::string choice; std::getline(choices, choice, '|');)
                if (choice == text) return true;
            return false;
        }
        default:
            return option.type == FANOUT_OPTION_STRING;
    }
}

TEST_F(DescriptorTest, names_its_abi_itself_and_its_file) {
    EXPECT_EQ(connector_.abi, FANOUT_CONNECTOR_ABI);
    EXPECT_EQ(connector_.name, std::filesystem::path(suite().connector_path).stem().string());
    EXPECT_NE(connector_.version, nullptr);
    EXPECT_GT(std::strlen(connector_.summary), 10U);
    EXPECT_EQ(std::strchr(connector_.summary, '\n'), nullptr) << "the summary is one line";
}

TEST_F(DescriptorTest, has_every_function) {
    EXPECT_NE(connector_.create, nullptr);
    EXPECT_NE(connector_.destroy, nullptr);
    EXPECT_NE(connector_.open, nullptr);
    EXPECT_NE(connector_.write, nullptr);
    EXPECT_NE(connector_.flush, nullptr);
    EXPECT_NE(connector_.close, nullptr);
    EXPECT_NE(connector_.interrupt, nullptr);
    EXPECT_NE(connector_.test, nullptr);
    EXPECT_EQ(connector_.settle != nullptr,
              (connector_.capabilities & FANOUT_CAP_FLUSH_AHEAD) != 0);
    EXPECT_EQ(connector_.progress != nullptr, connector_.settle != nullptr);
    EXPECT_EQ(connector_.create_index != nullptr,
              (connector_.capabilities & FANOUT_CAP_INDEXES) != 0);
}

TEST_F(DescriptorTest, uses_known_capabilities_only) {
    EXPECT_EQ(connector_.capabilities &
                  ~(FANOUT_CAP_TARGET_CURSOR | FANOUT_CAP_MESSAGES | FANOUT_CAP_CREATE_TABLES |
                    FANOUT_CAP_FLUSH_AHEAD | FANOUT_CAP_NOTES | FANOUT_CAP_DDL |
                    FANOUT_CAP_SEQUENCES | FANOUT_CAP_INDEXES),
              0U);
}

TEST_F(DescriptorTest, every_option_explains_itself_and_has_a_usable_default) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < connector_.option_count; ++i) {
        const fanout_option_spec& option = connector_.options[i];
        const std::string name = option.name;
        SCOPED_TRACE(name);
        EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
                  std::string::npos);
        EXPECT_TRUE(seen.insert(name).second) << "listed twice";
        ASSERT_NE(option.help, nullptr);
        EXPECT_GT(std::strlen(option.help), 10U);
        EXPECT_EQ(option.help[std::strlen(option.help) - 1], '.') << "help is a sentence";
        EXPECT_EQ(option.type == FANOUT_OPTION_ENUM, option.choices != nullptr);
        const bool required = (option.flags & FANOUT_OPTION_REQUIRED) != 0;
        const bool secret = (option.flags & FANOUT_OPTION_SECRET) != 0;
        EXPECT_FALSE((required || secret) && option.default_text != nullptr);
        const std::string text = option.default_text != nullptr ? option.default_text : "";
        EXPECT_TRUE(option.default_text == nullptr || parses_as(option, text)) << text;
    }
}

TEST_F(DescriptorTest, an_instance_can_be_made_and_dropped_without_a_connection) {
    OptionValues options;
    if (suite().target_here) {
        options = suite().hook.options(suite().root);
    } else {
        for (std::size_t i = 0; i < connector_.option_count; ++i)
            if ((connector_.options[i].flags & FANOUT_OPTION_REQUIRED) != 0)
                GTEST_SKIP() << "option " << connector_.options[i].name << " is required";
    }
    Instance instance(connector_, options, suite().root);
    EXPECT_TRUE(ok(instance.created()));
    instance.interrupt();
}

}  // namespace
}  // namespace fanout::contract

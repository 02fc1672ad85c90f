# Included when TALLY_PLANTED is on: libraries are made of edited copies (edit.py), which have the
# planted bugs in them, each switched on at run time.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(TALLY_PLANTED_DIR ${CMAKE_BINARY_DIR}/planted)

file(GLOB planted_bugs CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.bug)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${planted_bugs}
                                       ${CMAKE_CURRENT_LIST_DIR}/edit.py)
execute_process(
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/edit.py --out ${TALLY_PLANTED_DIR}
  RESULT_VARIABLE planted_failed)
if(planted_failed)
  message(FATAL_ERROR "the planted bugs do not fit the source; see above")
endif()

# Puts the edited copies in the place of the originals in the list named `list`. The library at the bottom
# has the choice, too.
function(tally_plant name list)
  set(all "")
  set(planted "")
  foreach(source IN LISTS ${list})
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE inside)
    set(copy ${TALLY_PLANTED_DIR}/${inside})
    if(EXISTS ${copy})
      set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
      set(source ${copy})
      list(APPEND planted ${copy})
    endif()
    list(APPEND all ${source})
  endforeach()
  if(name STREQUAL "base")
    list(APPEND all ${TALLY_PLANTED_DIR}/planted.c)
    list(APPEND planted ${TALLY_PLANTED_DIR}/planted.c)
  endif()
  set_source_files_properties(
    ${planted} PROPERTIES COMPILE_OPTIONS "-include;${TALLY_PLANTED_DIR}/planted.h")
  set(${list} "${all}" PARENT_SCOPE)
endfunction()

/* The module node.lane._lane: Udp, Streams and the Memo they share. */
#include "lane.h"

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "node.lane._lane", .m_size = -1,
    .m_doc = "The hot path with fewer system calls and objects; node/lane/README.md says when it is used.",
};

PyMODINIT_FUNC PyInit__lane(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (PyModule_AddType(module, &UdpType) < 0 || PyModule_AddType(module, &StreamsType) < 0 ||
        PyModule_AddType(module, &MemoType) < 0 ||
        PyModule_AddIntConstant(module, "ABI", 2) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
